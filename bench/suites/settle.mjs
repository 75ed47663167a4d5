import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { startEvmChain } from '@groat/sandbox'
import { openStore } from '@groat/store'
import { x402Facilitator } from '@x402/core/facilitator'
import { authorizationTypes, toFacilitatorEvmSigner } from '@x402/evm'
import { registerExactEvmScheme } from '@x402/evm/exact/facilitator'
import express from 'express'
import { createNonceManager, createWalletClient, http, publicActions } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { baseSepolia } from 'viem/chains'
import { jsonRpc } from 'viem/nonce'
import { listen } from '../lib/http.mjs'
import { summarize } from '../lib/round-robin.mjs'
import { printTable } from '../lib/table.mjs'

const ROUNDS = 3
const PAYMENTS = { 1: 12, 8: 48, 32: 96 }
/** After this a seller has given up: the payment counts as not settled. Milliseconds. */
const PATIENCE = 5_000

/**
 * Verify and settle on a real chain, a fresh one for each row. Official: with a nonce manager and batched HTTP. A rate counts what
 * was answered well; what was not is told below the table, because a nonce that is lost holds up all that follow it.
 */
export async function run() {
  for (const [inFlight, count] of Object.entries(PAYMENTS)) {
    const rates = { verify: { official: [], groat: [] }, settle: { official: [], groat: [] } }
    const lost = { official: 0, groat: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, start] of [
        ['official', startOfficial],
        ['groat', startOurs],
      ]) {
        const { rate, failed } = await measure(start, count, Number(inFlight))
        rates.verify[name].push(rate.verify)
        rates.settle[name].push(rate.settle)
        lost[name] += failed
      }
    }
    printTable(`verify on anvil, ${inFlight} in flight`, summarize(rates.verify))
    printTable(`settle on anvil, ${inFlight} in flight (journal on)`, summarize(rates.settle))
    console.log(`  not settled: official ${lost.official}, groat ${lost.groat} of ${count * ROUNDS}`)
  }
}

async function measure(start, count, inFlight) {
  const chain = await startEvmChain()
  const facilitator = await start(chain)
  try {
    const bodies = await requests(chain, count)
    const post = async (path, body) => {
      const response = await fetch(facilitator.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(PATIENCE),
      })
      return response.json()
    }
    await post('/verify', bodies[0])
    const timed = async (path, good) => {
      const queue = [...bodies]
      let failed = 0
      const begin = performance.now()
      const worker = async () => {
        for (let body = queue.pop(); body !== undefined; body = queue.pop()) {
          const well = await post(path, body).then(good, () => false)
          if (!well) failed++
        }
      }
      await Promise.all(Array.from({ length: inFlight }, worker))
      return { failed, rate: (count - failed) / ((performance.now() - begin) / 1000) }
    }
    const verify = await timed('/verify', ({ isValid }) => isValid)
    const settle = await timed('/settle', ({ success }) => success)
    return { rate: { verify: verify.rate, settle: settle.rate }, failed: settle.failed }
  } finally {
    await facilitator.close()
    await chain.stop()
  }
}

async function startOurs(chain) {
  const folder = await mkdtemp(join(tmpdir(), 'groat-bench-'))
  const store = await openStore(join(folder, 'pay.db'))
  const signers = [chain.account('facilitator').privateKey]
  const evm = await createEvmChain({ network: network(chain.network), rpc: chain.rpcUrl, signers })
  const service = createFacilitator({ schemes: [exactEvm({ chains: [evm] })], store })
  await service.start()
  const { url, close } = await serveFacilitator(service, { port: 0 })
  return {
    url,
    async close() {
      await close()
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}

async function startOfficial(chain) {
  // One of its own for each chain: viem's shared one would go on counting where the last chain ended.
  const nonceManager = createNonceManager({ source: jsonRpc() })
  const account = privateKeyToAccount(chain.account('facilitator').privateKey, { nonceManager })
  const transport = http(chain.rpcUrl, { batch: true })
  const wallet = createWalletClient({ account, chain: baseSepolia, transport, pollingInterval: 50 }).extend(
    publicActions,
  )
  const facilitator = new x402Facilitator()
  registerExactEvmScheme(facilitator, {
    signer: toFacilitatorEvmSigner({ ...wallet, address: account.address }),
    networks: chain.network,
  })
  const app = express().use(express.json())
  for (const path of ['verify', 'settle']) {
    app.post(`/${path}`, async ({ body }, response) => {
      response.json(await facilitator[path](body.paymentPayload, body.paymentRequirements))
    })
  }
  return listen(app)
}

/** Signed payments of five payers, as request bodies. */
function requests(chain, count) {
  const payers = chain.accounts
    .filter(({ role }) => role.startsWith('payer'))
    .map(({ privateKey }) => privateKeyToAccount(privateKey))
  const requirements = {
    scheme: 'exact',
    network: chain.network,
    amount: '1000',
    asset: chain.usdc,
    payTo: chain.account('seller').address,
    maxTimeoutSeconds: 300,
    extra: { name: 'USDC', version: '2' },
  }
  const validBefore = BigInt(Math.floor(Date.now() / 1000) + 290)
  return Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const payer = payers[at % payers.length]
      const nonce = `0x${randomBytes(32).toString('hex')}`
      const message = { from: payer.address, to: requirements.payTo, value: 1000n, validAfter: 0n, validBefore, nonce }
      const signature = await payer.signTypedData({
        domain: { ...requirements.extra, chainId: chain.chainId, verifyingContract: chain.usdc },
        types: authorizationTypes,
        primaryType: 'TransferWithAuthorization',
        message,
      })
      const text = { ...message, value: '1000', validAfter: '0', validBefore: validBefore.toString() }
      const paymentPayload = { x402Version: 2, accepted: requirements, payload: { signature, authorization: text } }
      return JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: requirements })
    }),
  )
}
