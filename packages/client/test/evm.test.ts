import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as seller } from '@groat/evm/exact/server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createPayer } from '../src/index.js'
import { bundle } from './support/bundle.js'
import { challenge, honest, offer, paid, SELLER, startSeller } from './support/seller.js'
import { temporaryFile } from './support/stores.js'

/** The first of the keys that every development chain knows. */
const KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'
const account = privateKeyAccount(KEY)
const receipt = { payer: account.address }

test('exact on EVM: the seller reads the payment that the policy allowed, under the same identity', async () => {
  const { url, seen } = await startSeller(({ payment }) =>
    payment === undefined
      ? challenge({ accepts: [offer({ maxTimeoutSeconds: 100_000 }), offer({ amount: 2000n })] })
      : paid(payment, {}, receipt),
  )
  const payer = createPayer({ schemes: [exactEvm({ account })] })

  const outcome = payer.outcome(await payer.fetch(url))

  const payment = seen[1]?.payment
  expect(payment?.accepted?.amount).toBe(1000n)
  const inspected = seller.inspect(payment!, payment!.accepted!, { now: Date.now() })
  expect(outcome).toMatchObject({ status: 'settled', payment: { pid: inspected.ok && inspected.pid, amount: 1000n } })
})

test('G19 an offer under another EIP-712 domain than the registry’s is not signed', async () => {
  const { url, presented } = await startSeller(honest([offer({ extra: { name: 'USD Coin', version: '2' } })]))
  const payer = createPayer({ schemes: [exactEvm({ account })] })
  expect(payer.outcome(await payer.fetch(url))).toMatchObject({ status: 'unpaid', code: 'domain_mismatch' })
  expect(presented()).toEqual([])
})

test('an asset that the payer added by address is paid, and held to the limit in its own decimals', async () => {
  const token = { ...offer(), asset: SELLER, extra: { name: 'Own', version: '1' } }
  const { url } = await startSeller(
    honest([
      { ...token, amount: 11n },
      { ...token, amount: 10n },
    ]),
  )
  const { network, asset: address } = token
  const domain = { name: 'Own', version: '1' }
  const asset = { network, address, symbol: 'OWN', decimals: 2, transfer: 'eip3009', domain } as const
  const payer = createPayer({ schemes: [exactEvm({ account, assets: [asset] })] })
  expect(await payer.quote(url)).toMatchObject({ status: 'payable', amount: 10n, refusals: [{ rule: 'perPayment' }] })
})

test('the examples of the README run', async () => {
  const { origin, presented } = await startSeller(({ payment }) =>
    payment === undefined ? challenge({ accepts: [offer()] }) : paid(payment, { body: 'sunny' }, receipt),
  )
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code).join('\n')
  const purse = await temporaryFile('purse.db')
  const program = await bundle(examples.replaceAll('https://api.example', origin).replace('purse.db', purse))
  onTestFinished(program.remove)
  vi.stubEnv('KEY', KEY)
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  onTestFinished(() => {
    log.mockRestore()
    vi.unstubAllEnvs()
  })

  await import(pathToFileURL(program.file).href)

  expect(log.mock.calls).toEqual([
    ['sunny', presented()[0]],
    [1000n, 'USDC', expect.objectContaining({ asset: 'USDC' })],
    ['settled'],
  ])
})
