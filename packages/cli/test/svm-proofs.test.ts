import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPayer } from '@groat/client'
import { decodeChallenge, encodePayment, network, systemRandom } from '@groat/core'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { type MadeTransfer, transferProof } from '@groat/svm/transfer-proof/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../src/program.js'
import { makeTransfer } from '../src/sandbox/svm-proofs.js'
import { recordedIo } from './io.js'
import { useShop } from './shop-kit.js'

// Transfers that were made on Solana, sold for by a shop from a file, on a real runtime.

const on = useShop('svm')
const solana = network('solana-devnet')
let api: Server
let shop: string
let worked = 0

const fileOf = (proofs = 'transfer_proofs: { finality: safe }', rpc = true) => `listen: 127.0.0.1:0
upstream: http://127.0.0.1:${(api.address() as AddressInfo).port}/
facilitator: ${on.sandbox.ready.facilitator.url}
payTo: { solana-devnet: "${keys('seller').address}" }
${rpc ? `rpc: { solana-devnet: "${on.sandbox.ready.svm?.rpcUrl}" }` : 'rpc: {}'}
${proofs}
routes:
  GET /weather: { price: $0.004, offers: [{ network: solana-devnet }, { network: solana-devnet, scheme: transfer-proof }] }
  GET /news: { price: $0.004, mode: upfront, offers: [{ network: solana-devnet, scheme: transfer-proof }] }
`

beforeAll(async () => {
  api = createServer((_, response) => {
    worked += 1
    response.end('sunny')
  }).listen(0, '127.0.0.1')
  await once(api, 'listening')
  shop = (await on.serve('serve', fileOf())).url
}, 60_000)
afterAll(async () => {
  api?.close()
})

function keys(role: string) {
  const found = on.sandbox.ready.accounts.find((each) => each.role === role)?.svm
  if (found === undefined) throw new Error(`${role} has no account`)
  return found
}
const account = (role: string) => secretKeyAccount(keys(role).secretKey)

async function offersOf(path: string) {
  const response = await fetch(shop + path)
  const challenge = decodeChallenge((name) => response.headers.get(name), await response.text())
  if (!challenge?.ok) throw new Error('no challenge')
  const { accepts, resource } = challenge.value
  const offer = accepts.find(({ scheme }) => scheme === 'transfer-proof')
  if (offer === undefined || resource === undefined) throw new Error('no proof is taken')
  return { offer, resource }
}

const transfer = async (role = 'payer'): Promise<MadeTransfer> =>
  makeTransfer(on.sandbox.ready.svm?.rpcUrl ?? '', account(role), (await offersOf('/weather')).offer)

/** A proof as its sender makes it, presented for a path. */
async function present(made: MadeTransfer, path: string, { role = 'payer', seconds = 0, payload = {} } = {}) {
  const { offer, resource } = await offersOf(path)
  const clock = () => Date.now() - seconds * 1000
  const half = transferProof({ account: account(role), transfers: [made] })
  const context = { clock, random: systemRandom, maxLifetimeSeconds: 300, resource: resource.url }
  const prepared = await half.prepare(offer, context)
  if (!prepared.ok) throw new Error(prepared.code)
  const signed = { ...(await prepared.sign()), ...payload }
  const { name, value } = encodePayment({
    ...{ x402Version: 2, scheme: offer.scheme, network: offer.network, accepted: offer, payload: signed, resource },
  })
  const answer = await fetch(shop + path, { headers: { [name]: value } })
  const text = await answer.text()
  return { status: answer.status, code: /"code":"(\w+)"/.exec(text)?.[1], text, again: { name, value } }
}

test('SVM-PROOF-001 SVM-PROOF-010 a transfer that was made pays once, for one thing; presented again it is answered again', async () => {
  const made = await transfer()
  const payer = createPayer({ schemes: [transferProof({ account: account('payer'), transfers: [made] })] })
  const response = await payer.fetch(`${shop}/weather`)
  expect([response.status, await response.text()]).toEqual([200, 'sunny'])
  expect(payer.receipt(response)).toMatchObject({ transaction: made.transaction, amount: 4_000n, network: solana })
  expect(await present(made, '/weather', { seconds: 11 })).toMatchObject({ status: 409 })
  expect(await present(made, '/news', { seconds: 12 })).toMatchObject({ status: 409 })

  const other = await transfer()
  const first = await present(other, '/news')
  expect(first).toMatchObject({ status: 200, text: 'sunny' })
  worked = 0
  const again = await fetch(`${shop}/news`, { headers: { [first.again.name]: first.again.value } })
  expect([await again.text(), worked]).toEqual(['sunny', 0])
})

test('SVM-PROOF-010 of copies that come at once, in any number of wordings, one is sold', async () => {
  const made = await transfer()
  worked = 0
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, i) => present(made, i % 2 === 0 ? '/weather' : '/news', { seconds: 10 * i })),
  )
  expect([answers.filter(({ status }) => status === 200).length, worked]).toEqual([1, 1])
})

test('SVM-PROOF-003 while strangers present it without a signature, its sender is served', async () => {
  const made = await transfer()
  const stolen = { from: keys('payer').address }
  const [sender, ...strangers] = await Promise.all([
    present(made, '/weather'),
    ...Array.from({ length: 5 }, (_, i) => present(made, '/weather', { role: 'payer2', seconds: i, payload: stolen })),
  ])
  expect(sender).toMatchObject({ status: 200 })
  for (const stranger of strangers) {
    expect(stranger).toMatchObject({ status: 402, code: 'invalid_transfer_proof_signature' })
  }
})

test('SVM-PROOF-007 SVM-PROOF-002 what settled the ordinary offer is no proof, and that offer stands first', async () => {
  const rpc = on.sandbox.ready.svm?.rpcUrl ?? ''
  const payer = createPayer({
    schemes: [
      exactSvm({ account: account('payer'), rpc }),
      transferProof({ account: account('payer'), transfers: [] }),
    ],
  })
  const response = await payer.fetch(`${shop}/weather`)
  const receipt = payer.receipt(response)
  expect([response.status, receipt?.amount]).toEqual([200, 4_000n])
  const { asset, payTo, amount } = (await offersOf('/weather')).offer
  const settled = { transaction: receipt?.transaction ?? '', network: solana, asset, payTo, amount }
  expect(await present(settled, '/weather')).toMatchObject({ status: 402, code: 'transfer_proof_mismatch' })
})

test('a file that takes transfers names a node for each network that does', async () => {
  const file = `${on.folder}/bad.yaml`
  await writeFile(file, fileOf('transfer_proofs: true', false))
  const io = recordedIo()
  const reason = expect.stringMatching(/bad\.yaml:\d+.*rpc/)
  expect([await runCli(['serve', file, '--check'], io), io.said()]).toEqual([2, reason])
})
