import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createPayer } from '@groat/client'
import { assetByTicker, network, systemRandom } from '@groat/core'
import { createFacilitator, serveFacilitator } from '@groat/facilitator'
import { createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/express'
import { openMemoryStore } from '@groat/store'
import { createSvmChain } from '@groat/svm/chain'
import { exactSvm as pays, secretKeyAccount } from '@groat/svm/exact/client'
import { exactSvm as settles } from '@groat/svm/exact/facilitator'
import { exactSvm as sells } from '@groat/svm/exact/server'
import { parseAddress, programs } from '@groat/svm/wire'
import { createKeyPairSignerFromBytes, getBase58Encoder } from '@solana/kit'
import { toFacilitatorSvmSigner } from '@x402/svm'
import { ExactSvmScheme as OfficialClient } from '@x402/svm/exact/client'
import { ExactSvmScheme as OfficialFacilitator } from '@x402/svm/exact/facilitator'
import express from 'express'
import { listen } from '../lib/http.mjs'
import { interleave } from '../lib/interleave.mjs'
import { printTable } from '../lib/table.mjs'

const on = network('solana-devnet')
const PAYMENTS = 100
const IN_FLIGHT = 10

/** exact on Solana: client, verification with and without its simulation, and a paid request through all roles. */
export async function run() {
  const chain = await startChain()
  try {
    console.log(`\nthe sandbox's Solana chain starts in ${chain.startMs.toFixed(0)} ms`)
    await client(chain)
    await verifyAlone(chain)
    await verifyOnChain(chain)
    await paidRequest(chain)
  } finally {
    await chain.stop()
  }
}

async function client({ rpcUrl, key, offer, wire }) {
  const account = secretKeyAccount(key('payer').secretKey)
  const ours = pays({ account, rpc: rpcUrl })
  const official = new OfficialClient(await signerOf(key('payer').secretKey), { rpcUrl })
  const rows = await interleave({
    official: () => rate(30, 1, () => official.createPaymentPayload(2, wire)),
    groat: () => rate(PAYMENTS, 1, () => sign(ours, offer)),
  })
  printTable('client: build and sign, blockhash from the node', rows)
}

/** Whatever the node would say is said at once: what is left is the reading and judging of bytes. */
async function verifyAlone({ key, offer, wire, payments }) {
  const official = new OfficialFacilitator({
    getAddresses: () => [key('facilitator').address],
    simulateTransaction: async () => {},
    signTransaction: async (transaction) => transaction,
    sendTransaction: async () => '',
    confirmTransaction: async () => {},
  })
  const data = new Uint8Array(165)
  data.set(parseAddress(offer.payTo), 32)
  data[108] = 1
  const rpc = {
    simulate: async () => ({ ok: true, accounts: [{ owner: programs.token, lamports: 1n, data }] }),
    accounts: async () => [undefined],
  }
  const chain = createSvmChain({ network: on, rpc, signers: [key('facilitator').secretKey] })
  await compareVerify('verify without simulation', official, settles({ chains: [chain] }), 1, { offer, wire, payments })
}

async function verifyOnChain({ rpcUrl, key, offer, wire, payments }) {
  const signer = toFacilitatorSvmSigner(await signerOf(key('facilitator').secretKey), { defaultRpcUrl: rpcUrl })
  const chain = createSvmChain({ network: on, rpc: rpcUrl, signers: [key('facilitator').secretKey] })
  await chain.ready()
  for (const inFlight of [1, IN_FLIGHT]) {
    const title = `verify with simulation, ${inFlight} in flight`
    const peers = [new OfficialFacilitator(signer), settles({ chains: [chain] })]
    await compareVerify(title, ...peers, inFlight, { offer, wire, payments })
  }
}

async function compareVerify(title, official, ours, inFlight, { offer, wire, payments }) {
  const rows = await interleave({
    async official() {
      const bodies = await payments()
      return rate(bodies.length, inFlight, async () => {
        const verdict = await official.verify({ x402Version: 2, accepted: wire, payload: bodies.pop() }, wire)
        if (!verdict.isValid) throw new Error(verdict.invalidReason)
      })
    },
    async groat() {
      const bodies = await payments()
      return rate(bodies.length, inFlight, async () => {
        const payment = { x402Version: 2, scheme: 'exact', network: on, accepted: offer, payload: bodies.pop() }
        const verdict = await ours.verify(payment, { ...offer }, { now: Date.now() })
        if (!verdict.ok) throw new Error(verdict.code)
      })
    },
  })
  printTable(title, rows)
}

/** Ours alone: from the first request to the last byte, journal and claims in memory. */
async function paidRequest({ rpcUrl, key }) {
  const chain = createSvmChain({ network: on, rpc: rpcUrl, signers: [key('facilitator').secretKey] })
  const store = await openMemoryStore()
  const service = createFacilitator({ schemes: [settles({ chains: [chain] })], store })
  await service.start()
  const facilitator = await serveFacilitator(service, { port: 0 })
  const paid = paywall({
    facilitator: facilitator.url,
    payTo: { [on]: key('seller').address },
    schemes: [sells],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const app = express()
  app.get('/paid', paid('$0.001'), (_request, response) => response.json({ served: true }))
  const shop = await listen(app)
  const payer = createPayer({ schemes: [pays({ account: secretKeyAccount(key('payer2').secretKey), rpc: rpcUrl })] })
  const times = []
  for (let request = 0; request < 40; request++) {
    const begin = performance.now()
    const response = await payer.fetch(`${shop.url}/paid`)
    await response.arrayBuffer()
    if (response.status !== 200) throw new Error(`${response.status}`)
    times.push(performance.now() - begin)
  }
  times.sort((a, b) => a - b)
  const at = (share) => times[Math.floor(times.length * share)].toFixed(1)
  console.log(`\npaid request, one at a time: median ${at(0.5)} ms, 95 of 100 within ${at(0.95)} ms`)
  await shop.close()
  await facilitator.close()
  await store.close()
}

/** Runs `work` so many times with so many at once; how many were done in a second. */
async function rate(count, inFlight, work) {
  let left = count
  const begin = performance.now()
  const worker = async () => {
    while (left-- > 0) await work()
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return count / ((performance.now() - begin) / 1000)
}

async function sign(scheme, offer) {
  const prepared = await scheme.prepare(offer, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 600 })
  if (!prepared.ok) throw new Error(prepared.code)
  return prepared.sign()
}

function signerOf(secretKey) {
  return createKeyPairSignerFromBytes(getBase58Encoder().encode(secretKey))
}

async function startChain() {
  const program = fileURLToPath(new URL('../lib/svm-chain.mjs', import.meta.url))
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const line = await new Promise((resolve) => createInterface(child.stdout).once('line', resolve))
  const { rpcUrl, accounts, startMs } = JSON.parse(line)
  const key = (role) => accounts.find((account) => account.role === role)
  const offer = sells.offer({
    network: on,
    asset: assetByTicker(on, 'USDC'),
    amount: 1000n,
    payTo: key('seller').address,
    maxTimeoutSeconds: 60,
    extra: { feePayer: key('facilitator').address },
  })
  const payer = pays({ account: secretKeyAccount(key('payer').secretKey), rpc: rpcUrl })
  return {
    rpcUrl,
    startMs,
    key,
    offer,
    wire: { ...offer, amount: '1000' },
    payments: () => Promise.all(Array.from({ length: PAYMENTS }, () => sign(payer, offer))),
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
