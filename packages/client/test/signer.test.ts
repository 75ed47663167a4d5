import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defaultAssets, network, type PaymentRequirements, X402Error } from '@groat/core'
import { type RemoteSigner, signerAccounts } from '@groat/core/http'
import { exactEvm, privateKeyAccount, type TypedData } from '@groat/evm/exact/client'
import { exactEvmWithPermit2 } from '@groat/evm/exact/permit2/client'
import { evmSigner, remoteEvmAccount } from '@groat/evm/signer'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { remoteSvmAccount, svmSigner } from '@groat/svm/signer'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createPayer } from '../src/index.js'
import { createSigner, type SignerPolicy, signerHandler } from '../src/signer/index.js'
import { honest, offer, SELLER, startSeller } from './support/seller.js'
import { purses } from './support/stores.js'

const KEY = `0x${'46'.repeat(32)}`
const token = 'a token of our own'.replaceAll(' ', '-')
const key = privateKeyAccount(KEY)
const SOLANA_SELLER = '2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4'
const SOLANA_KEY = '3L3RY5sT8K4kyEnqhizwaqxLEbcYvpGrGPNEYRwtbCSdSvvMAJawwEEPE3NhshFbVUqmvDV74Ct4vo7MEu7yxJX'
const solana = secretKeyAccount(SOLANA_KEY)
const clock = () => 1_800_000_000_000
const context = (fill = 7) => ({
  clock,
  random: (bytes: number) => new Uint8Array(bytes).fill(fill),
  maxLifetimeSeconds: 300,
})

describe.each(purses)('a remote signer whose purse is %s', (_, openPurse) => {
  async function start(policy: SignerPolicy = {}, time = clock): Promise<RemoteSigner> {
    const halves = [evmSigner({ account: key }), svmSigner({ account: solana, network: network('solana-devnet') })]
    const signer = createSigner({ halves, policy, purse: await openPurse(), clock: time })
    return { url: await serve(signerHandler(signer, { tokens: [token] })), token }
  }
  const evmOver = (signer: RemoteSigner) => remoteEvmAccount({ ...signer, address: key.address })

  test('F8 signs what a local key would have signed, on EVM by both methods and on Solana', async () => {
    const signer = await start({ recipients: [SELLER, SOLANA_SELLER] })
    expect(await signerAccounts(signer)).toEqual([
      { family: 'eip155', address: key.address },
      { family: 'solana', address: solana.address },
    ])
    for (const terms of [offer(), permit2Offer]) {
      const signatures = [key, evmOver(signer)].map(async (account) => {
        const prepared = await exactEvmWithPermit2({ account }).prepare(terms, context())
        return prepared.ok ? prepared.sign() : prepared
      })
      const [local, remote] = await Promise.all(signatures)
      expect(remote).toEqual(local)
    }
    const onSolana = [solana, remoteSvmAccount({ ...signer, address: solana.address })].map(async (account) => {
      const prepared = await exactSvm({ account }).prepare(solanaOffer(), context())
      return prepared.ok ? prepared.sign() : prepared
    })
    const [local, remote] = await Promise.all(onSolana)
    expect(remote).toEqual(local)
    expect(remote).toHaveProperty('transaction')
  })

  test('CL-1 CL-2 its own budget holds for everybody who asks, whatever the payers are told', async () => {
    const signer = await start({ perPayment: '$0.10', perDay: '$1' }, Date.now)
    const seller = await startSeller(honest([offer({ amount: 100_000n })]))
    const payers = Array.from({ length: 4 }, () =>
      createPayer({ schemes: [exactEvm({ account: evmOver(signer) })], policy: { perPayment: '$5' } }),
    )
    const calls = payers.flatMap((payer, nth) =>
      Array.from({ length: 4 }, (_, call) => payer.fetch(`${seller.url}?call=${nth}-${call}`)),
    )
    const done = await Promise.allSettled(calls)
    expect(done.filter(({ status }) => status === 'fulfilled').length).toBe(10)
    expect(new Set(seller.presented()).size).toBe(10)
    const failures = done.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    for (const error of failures) {
      expect(error).toMatchObject({ code: 'signer_refused', context: { reason: 'budget_exceeded', rule: 'perDay' } })
    }
  })

  test.each<[string, SignerPolicy, Partial<PaymentRequirements>, number, string, string]>([
    [
      'more than a payment may take',
      { perPayment: '$0.05' },
      { amount: 50_001n },
      300,
      'amount_over_limit',
      'perPayment',
    ],
    ['another recipient', { recipients: [key.address] }, {}, 300, 'recipient_not_allowed', 'recipients'],
    ['another network', { networks: ['base'] }, {}, 300, 'network_not_allowed', 'networks'],
    ['another asset', { assets: ['EURC'] }, {}, 300, 'asset_not_in_policy', 'assets'],
    ['a longer life', { maxLifetimeSeconds: 60 }, {}, 300, 'lifetime_over_limit', 'maxLifetimeSeconds'],
    ['anything while it is stopped', { stopped: true }, {}, 300, 'payments_stopped', 'stopped'],
  ])('never signs %s, and names the rule', async (_what, policy, changes, maxLifetimeSeconds, reason, rule) => {
    const account = evmOver(await start(policy))
    const prepared = exactEvm({ account }).prepare(offer(changes), { ...context(), maxLifetimeSeconds })
    if (!prepared.ok) throw new TypeError(prepared.code)
    await expect(prepared.sign()).rejects.toMatchObject({ code: 'signer_refused', context: { reason, rule } })
  })

  test('G08 an allowance, a message of another kind and a token of another domain are not understood, and not signed', async () => {
    const account = evmOver(await start())
    const domain = { name: 'USDC', version: '2', chainId: 84532, verifyingContract: USDC } as const
    const permit: TypedData = {
      domain,
      types: {},
      primaryType: 'Permit',
      message: {
        owner: key.address,
        spender: SELLER as `0x${string}`,
        value: 2n ** 256n - 1n,
        nonce: 0n,
        deadline: 2_000_000_000n,
      },
    }
    const transfer = {
      ...{ from: key.address, to: SELLER as `0x${string}`, value: 1n, validAfter: 0n, validBefore: 1_800_000_100n },
      nonce: `0x${'07'.repeat(32)}`,
    } as const
    const authorization = (changes: object, name = 'USDC'): TypedData => ({
      domain: { ...domain, name },
      types: {},
      primaryType: 'TransferWithAuthorization',
      message: { ...transfer, ...changes },
    })
    const asked: [TypedData, string][] = [
      [permit, 'signer_refused'],
      [authorization({}, 'USD Coin'), 'domain_mismatch'],
      [authorization({ from: SELLER }), 'signer_refused'],
      [{ ...authorization({}), domain: { ...domain, verifyingContract: SELLER } }, 'asset_not_known'],
    ]
    for (const [data, reason] of asked) {
      await expect(account.signTypedData(data)).rejects.toMatchObject({ code: 'signer_refused', context: { reason } })
    }
    expect(await account.signTypedData(authorization({}))).toMatch(/^0x/)
    // The same number for more money is another payment, for which nothing was booked.
    await expect(account.signTypedData(authorization({ value: 2n }))).rejects.toMatchObject({
      context: { reason: 'idempotency_mismatch' },
    })
  })

  test('the same message is signed once and booked once', async () => {
    const account = evmOver(await start({ perDay: '$0.10' }))
    const prepared = exactEvm({ account }).prepare(offer({ amount: 100_000n }), context())
    if (!prepared.ok) throw new TypeError(prepared.code)
    expect(await prepared.sign()).toEqual(await prepared.sign())
    const another = exactEvm({ account }).prepare(offer({ amount: 1n }), context(8))
    if (!another.ok) throw new TypeError(another.code)
    await expect(another.sign()).rejects.toMatchObject({ context: { rule: 'perDay' } })
  })

  test('on Solana a payment to nobody who is named is not signed, and neither is its own fee', async () => {
    const signer = await start({ recipients: [SELLER] })
    const account = remoteSvmAccount({ ...signer, address: solana.address })
    const prepared = await exactSvm({ account }).prepare(solanaOffer(), context())
    if (!prepared.ok) throw new TypeError(prepared.code)
    const refused = { code: 'signer_refused', context: { reason: 'recipient_not_allowed', rule: 'recipients' } }
    await expect(prepared.sign()).rejects.toMatchObject(refused)
    await expect(account.sign(new Uint8Array([1, 2, 3]))).rejects.toMatchObject({ code: 'signer_refused' })
  })
})

test('nobody is let in without the token, and a word that a signer cannot judge is a mistake', async () => {
  const signer = createSigner({ halves: [evmSigner({ account: key })] })
  const url = await serve(signerHandler(signer, { tokens: [token] }))
  const account = remoteEvmAccount({ url, token: 'another-token-that-is-long', address: key.address })
  const prepared = exactEvm({ account }).prepare(offer(), context())
  if (!prepared.ok) throw new TypeError(prepared.code)
  await expect(prepared.sign()).rejects.toMatchObject({ code: 'signer_failed', context: { reason: 'api_key_unknown' } })
  expect(() => signerHandler(signer, { tokens: ['short'] })).toThrow(X402Error)
  const policy = { origins: ['https://api.example'] } as SignerPolicy
  expect(() => createSigner({ halves: [evmSigner({ account: key })], policy })).toThrow(/origins/)
})

test('a signer that is not there signs nothing, and nothing is charged', async () => {
  const seller = await startSeller(honest())
  const account = remoteEvmAccount({ url: 'http://127.0.0.1:9', token, address: key.address })
  const payer = createPayer({ schemes: [exactEvm({ account })] })
  await expect(payer.fetch(seller.url)).rejects.toMatchObject({ code: 'signer_failed' })
  expect(seller.presented()).toEqual([])
  const elsewhere = remoteEvmAccount({ url: 'http://signer.example', token, address: key.address })
  const prepared = exactEvm({ account: elsewhere }).prepare(offer(), context())
  if (!prepared.ok) throw new TypeError(prepared.code)
  await expect(prepared.sign()).rejects.toMatchObject({ code: 'invalid_config' })
})

const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'

const permit2Offer = offer({ extra: { assetTransferMethod: 'permit2' } })

function solanaOffer(): PaymentRequirements {
  const id = network('solana-devnet')
  return {
    scheme: 'exact',
    network: id,
    amount: 1000n,
    asset: defaultAssets(id)[0]!.address,
    payTo: SOLANA_SELLER,
    maxTimeoutSeconds: 60,
    extra: {
      feePayer: 'CKPKJWNdJEqa81x7CkZ14BVPiY6y16Sxs7owznqtWYp5',
      recentBlockhash: 'GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse',
    },
  }
}

/** A fetch handler on a socket, for as long as the test runs. */
async function serve(handle: (request: Request) => Promise<Response>): Promise<string> {
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const headers = new Headers()
    for (const [name, value] of Object.entries(incoming.headers))
      if (typeof value === 'string') headers.set(name, value)
    const method = incoming.method ?? 'GET'
    const body = method === 'GET' ? {} : { body: Buffer.concat(chunks) }
    const answer = await handle(new Request(`http://signer.local${incoming.url}`, { method, headers, ...body }))
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  // A listening TCP server has an address and a port.
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}
