// The published facilitator in its tuned form, in a process of its own: viem's nonce manager, batched HTTP, a short polling interval.
import { x402Facilitator } from '@x402/core/facilitator'
import { toFacilitatorEvmSigner } from '@x402/evm'
import { registerExactEvmScheme } from '@x402/evm/exact/facilitator'
import express from 'express'
import { createNonceManager, createWalletClient, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { jsonRpc } from 'viem/nonce'
import { listen } from './http.mjs'

const { rpc, network, keys } = JSON.parse(process.argv[2] ?? '{}')
const account = privateKeyToAccount(keys[0], { nonceManager: createNonceManager({ source: jsonRpc() }) })
const transport = http(rpc, { batch: true })
const wallet = createWalletClient({ account, chain: baseSepolia, transport, pollingInterval: 50 }).extend(publicActions)
const facilitator = new x402Facilitator()
const signer = toFacilitatorEvmSigner({ ...wallet, address: account.address })
registerExactEvmScheme(facilitator, { signer, networks: network })
const app = express().use(express.json())
app.get('/supported', (_, response) => void response.json(facilitator.getSupported()))
for (const path of ['verify', 'settle']) {
  app.post(`/${path}`, async ({ body }, response) => {
    response.json(await facilitator[path](body.paymentPayload, body.paymentRequirements))
  })
}
const { url } = await listen(app)
process.once('SIGTERM', () => process.exit(0))
process.once('disconnect', () => process.exit(1))
process.send?.({ url })
