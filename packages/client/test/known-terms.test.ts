import { expect, test } from 'vitest'
import { createBuyer } from '../src/buyer/index.js'
import { createPayer, knownTerms } from '../src/index.js'
import { challenge, honest, offer, paid, type Script, startSeller } from './support/seller.js'
import { spyScheme } from './support/spy-scheme.js'

const knownFor = (seconds: number) => createPayer({ schemes: [spyScheme()], known: knownTerms(seconds) })
const read = async (response: Response) => [response.status, await response.text()]

test('terms that were paid by once need one round trip, where the policy says for how long', async () => {
  const { url, seen, presented } = await startSeller(honest())
  const payer = knownFor(60)
  for (let call = 0; call < 3; call++) expect(await read(await payer.fetch(url))).toEqual([200, 'sunny'])
  expect([seen.length, new Set(presented()).size]).toEqual([4, 3])
})

test('without a word in the policy a seller is asked every time', async () => {
  const { url, seen } = await startSeller(honest())
  const payer = createPayer({ schemes: [spyScheme()] })
  for (let call = 0; call < 2; call++) await (await payer.fetch(url)).text()
  expect(seen.length).toBe(4)
})

test('what is known is forgotten after its time, and another URL or method is not known', async () => {
  const { url, seen } = await startSeller(honest())
  let now = 1_700_000_000_000
  const payer = createPayer({ schemes: [spyScheme()], known: knownTerms(60, () => now), clock: () => now })
  await (await payer.fetch(url)).text()
  await (await payer.fetch(`${url}?city=1`)).text()
  await (await payer.fetch(url, { method: 'POST', body: 'x' })).text()
  expect(seen.length).toBe(6)
  now += 60_001
  await (await payer.fetch(url)).text()
  expect(seen.length).toBe(8)
})

test('a body that is sent with known terms is sent whole, and a stream is asked for first', async () => {
  const { url, seen } = await startSeller(honest())
  const payer = knownFor(60)
  const post = () => payer.fetch(url, { method: 'POST', body: '{"city":"Bern"}' })
  for (let call = 0; call < 2; call++) await (await post()).text()
  expect(seen.map(({ body, payment }) => [body.toString(), payment !== undefined])).toEqual([
    ['{"city":"Bern"}', false],
    ['{"city":"Bern"}', true],
    ['{"city":"Bern"}', true],
  ])
  const stream = new ReadableStream({ start: (controller) => controller.close() })
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: stream, duplex: 'half' }
  await expect(payer.fetch(url, init)).rejects.toMatchObject({ code: 'body_not_replayable' })
})

test('G06 a seller that changed its price is not paid more: what was known is refused once, signed once, and not believed again', async () => {
  const dear = [offer({ amount: 50_000n })]
  let price = [offer()]
  const script: Script = ({ payment }) =>
    payment?.accepted?.amount === price[0]?.amount ? paid(payment!) : challenge({ accepts: price })
  const { url, seen, presented } = await startSeller(script)
  const scheme = spyScheme()
  const payer = createPayer({ schemes: [scheme], known: knownTerms(60) })
  await (await payer.fetch(url)).text()
  price = dear
  const refused = await payer.fetch(url)
  expect([refused.status, payer.outcome(refused)?.status, scheme.signed.length]).toEqual([402, 'refused', 2])
  // The payment that was refused is still alive: it is presented again, and no dearer one is signed beside it.
  seen.length = 0
  const again = await payer.fetch(url)
  expect([payer.outcome(again)?.status, scheme.signed.length]).toEqual(['refused', 2])
  expect([seen.length, presented().length]).toEqual([2, 1])
})

test('CL-2 what the policy refuses is not paid by known terms either: the seller is asked, and its answer handed out', async () => {
  const { url, presented } = await startSeller(honest([offer({ amount: 100_000n })]))
  const buyer = createBuyer({ schemes: [spyScheme()], policy: { knownTermsSeconds: 60, perDay: '$0.20' } })
  for (let call = 0; call < 2; call++) await (await buyer.fetch(url)).text()
  const over = await buyer.fetch(url)
  expect([over.status, buyer.outcome(over)]).toMatchObject([402, { status: 'unpaid', code: 'budget_exceeded' }])
  expect(presented().length).toBe(2)
})
