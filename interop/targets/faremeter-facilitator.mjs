// The facilitator handlers of faremeter, which itself publishes no HTTP service, behind a shell of the usual form.

import { createFacilitatorHandler as evmHandler } from '@faremeter/payment-evm/exact'
import { createFacilitatorHandler as svmHandler } from '@faremeter/payment-solana/exact'
import express from 'express'
import { ready } from './lib/ready.mjs'
import { signerOf } from './lib/solana.mjs'
import { usdcOf } from './lib/usdc.mjs'

const { X402_EVM_RPC_URL, X402_EVM_PRIVATE_KEY } = process.env
const { X402_SVM_RPC_URL, X402_SVM_NETWORK, X402_SVM_SECRET_KEY } = process.env
const handlers = []
if (X402_EVM_RPC_URL !== undefined) {
  const chain = { id: 84532, name: 'Base Sepolia', rpcUrls: { default: { http: [X402_EVM_RPC_URL] } } }
  handlers.push(await evmHandler(chain, X402_EVM_PRIVATE_KEY, 'USDC'))
}
if (X402_SVM_RPC_URL !== undefined) {
  const signer = await signerOf(X402_SVM_SECRET_KEY)
  handlers.push(await svmHandler(X402_SVM_NETWORK, X402_SVM_RPC_URL, signer, usdcOf(X402_SVM_NETWORK)))
}

/** The first answer of a handler that takes this payment for its own. */
async function first(ask) {
  for (const handler of handlers) {
    const answer = await ask(handler)
    if (answer !== null && answer !== undefined) return answer
  }
  return undefined
}

const app = express()
app.use(express.json())
const answering = (act) => async (request, response) => {
  try {
    const answer = await act(request.body ?? {})
    response.status(answer === undefined ? 400 : 200).json(answer ?? { error: 'unsupported_scheme' })
  } catch (error) {
    response.status(500).json({ error: error instanceof Error ? error.message : 'unknown' })
  }
}
app.get(
  '/supported',
  answering(async () => ({
    kinds: (await Promise.all(handlers.map((each) => Promise.all(each.getSupported())))).flat(),
  })),
)
app.post(
  '/verify',
  answering(({ paymentRequirements, paymentPayload }) =>
    first((handler) => handler.handleVerify(paymentRequirements, paymentPayload)),
  ),
)
app.post(
  '/settle',
  answering(({ paymentRequirements, paymentPayload }) =>
    first((handler) => handler.handleSettle(paymentRequirements, paymentPayload)),
  ),
)
ready(app)
