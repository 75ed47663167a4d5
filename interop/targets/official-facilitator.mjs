// The official facilitator library behind the HTTP shell of its example.

import { x402Facilitator } from '@x402/core/facilitator'
import { toFacilitatorEvmSigner } from '@x402/evm'
import { registerExactEvmScheme } from '@x402/evm/exact/facilitator'
import { toFacilitatorSvmSigner } from '@x402/svm'
import { registerExactSvmScheme } from '@x402/svm/exact/facilitator'
import express from 'express'
import { createWalletClient, http, publicActions } from 'viem'
import { nonceManager, privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { ready } from './lib/ready.mjs'
import { signerOf } from './lib/solana.mjs'

const { X402_EVM_RPC_URL, X402_EVM_NETWORK, X402_EVM_PRIVATE_KEY } = process.env
const { X402_SVM_RPC_URL, X402_SVM_NETWORK, X402_SVM_SECRET_KEY } = process.env
const facilitator = new x402Facilitator()

if (X402_EVM_RPC_URL !== undefined) {
  const account = privateKeyToAccount(X402_EVM_PRIVATE_KEY, { nonceManager })
  const transport = http(X402_EVM_RPC_URL)
  const wallet = createWalletClient({ account, chain: baseSepolia, transport, pollingInterval: 50 }).extend(
    publicActions,
  )
  const signer = toFacilitatorEvmSigner({ ...wallet, address: account.address })
  registerExactEvmScheme(facilitator, { signer, networks: X402_EVM_NETWORK })
}
if (X402_SVM_RPC_URL !== undefined) {
  const pair = await signerOf(X402_SVM_SECRET_KEY)
  const signer = toFacilitatorSvmSigner(pair, { defaultRpcUrl: X402_SVM_RPC_URL })
  registerExactSvmScheme(facilitator, { signer, networks: X402_SVM_NETWORK })
}

const app = express()
app.use(express.json())
const answering = (act) => async (request, response) => {
  try {
    response.json(await act(request.body ?? {}))
  } catch (error) {
    response.status(500).json({ error: error instanceof Error ? error.message : 'unknown' })
  }
}
app.get(
  '/supported',
  answering(() => facilitator.getSupported()),
)
app.post(
  '/verify',
  answering((body) => facilitator.verify(body.paymentPayload, body.paymentRequirements)),
)
app.post(
  '/settle',
  answering((body) => facilitator.settle(body.paymentPayload, body.paymentRequirements)),
)
ready(app)
