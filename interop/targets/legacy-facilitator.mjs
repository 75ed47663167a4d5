// The facilitator functions of the first generation behind the HTTP shell of their example. EVM.

import express from 'express'
import { createWalletClient, http, publicActions } from 'viem'
import { nonceManager, privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { settle, verify } from 'x402/facilitator'
import { evm } from 'x402/types'
import { ready } from './lib/ready.mjs'

const { X402_EVM_RPC_URL, X402_EVM_PRIVATE_KEY } = process.env
const account = privateKeyToAccount(X402_EVM_PRIVATE_KEY, { nonceManager })
const transport = http(X402_EVM_RPC_URL)
const signer = createWalletClient({ account, chain: baseSepolia, transport, pollingInterval: 50 }).extend(publicActions)
if (!evm.isSignerWallet(signer)) throw new Error('viem has changed')

const app = express()
app.use(express.json())
const answering = (act) => async (request, response) => {
  try {
    response.json(await act(request.body ?? {}))
  } catch (error) {
    response.status(400).json({ error: error instanceof Error ? error.message : 'Invalid request' })
  }
}
app.get('/supported', (_, response) => {
  response.json({ kinds: [{ x402Version: 1, scheme: 'exact', network: 'base-sepolia' }] })
})
app.post(
  '/verify',
  answering((body) => verify(signer, body.paymentPayload, body.paymentRequirements)),
)
app.post(
  '/settle',
  answering((body) => settle(signer, body.paymentPayload, body.paymentRequirements)),
)
ready(app)
