import { startSandbox } from '@groat/cli'
import { HTTPFacilitatorClient } from '@x402/core/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { officialEvmFetch } from './peers/official-evm.js'
import { officialSvmFetch } from './peers/official-svm.js'

let sandbox: Awaited<ReturnType<typeof startSandbox>>
beforeAll(async () => {
  sandbox = await startSandbox({ port: 0 })
})
afterAll(() => sandbox?.stop())

test('an unmodified official client pays the demo API', async () => {
  const { accounts, api } = sandbox.ready
  const key = accounts.find(({ role }) => role === 'payer')?.evm?.privateKey
  const pay = officialEvmFetch(key ?? '')
  // A socket is opened by a handshake, which `fetch` does not make.
  const paths = (api?.routes ?? []).filter(({ websocket = false }) => !websocket).map(({ path }) => path)
  const statuses = await Promise.all(paths.map(async (path) => [path, (await pay(`${api?.url}${path}`)).status]))
  expect(statuses).toEqual(paths.map((path) => [path, 200]))
  expect(paths).toHaveLength(24)
})

test('an unmodified official client pays the demo API on Solana', async () => {
  const { accounts, api, svm } = sandbox.ready
  const key = accounts.find(({ role }) => role === 'payer2')?.svm?.secretKey
  const pay = await officialSvmFetch(key ?? '', { rpcUrl: svm?.rpcUrl ?? '' })
  const fixed = (api?.routes ?? []).filter(({ networks }) => networks.includes(svm?.network ?? ''))
  expect(fixed).toHaveLength(16)
  for (const { path } of fixed.slice(0, 3)) {
    const answer = await pay(`${api?.url}${path}`)
    expect([path, answer.status]).toEqual([path, 200])
    const receipt = JSON.parse(Buffer.from(answer.headers.get('PAYMENT-RESPONSE') ?? '', 'base64').toString())
    expect(receipt).toMatchObject({ success: true, network: svm?.network })
  }
})

test('the official facilitator client reads what ours says', async () => {
  const client = new HTTPFacilitatorClient({ url: sandbox.ready.facilitator.url })
  const keys = sandbox.ready.accounts.find(({ role }) => role === 'facilitator')
  const feePayer = keys?.svm?.address
  expect(await client.getSupported()).toEqual({
    kinds: [
      {
        ...{ x402Version: 2, scheme: 'exact', network: 'eip155:84532' },
        extra: { delegationManagers: [sandbox.ready.evm?.delegation.manager], facilitators: [keys?.evm?.address] },
      },
      { x402Version: 1, scheme: 'exact', network: 'base-sepolia' },
      { x402Version: 2, scheme: 'upto', network: 'eip155:84532', extra: { facilitatorAddress: keys?.evm?.address } },
      { x402Version: 2, scheme: 'batch-settlement', network: 'eip155:84532' },
      {
        ...{ x402Version: 2, scheme: 'auth-capture', network: 'eip155:84532' },
        extra: { captureAuthorizer: keys?.evm?.address },
      },
      { x402Version: 2, scheme: 'exact', network: 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1', extra: { feePayer } },
      { x402Version: 1, scheme: 'exact', network: 'solana-devnet', extra: { feePayer } },
    ],
    extensions: ['eip2612GasSponsoring'],
    signers: { 'eip155:*': [keys?.evm?.address], 'solana:*': [feePayer] },
  })

  const requirements = {
    scheme: 'exact',
    network: 'eip155:84532',
    amount: '1000',
    asset: sandbox.ready.evm?.usdc ?? '',
    payTo: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    maxTimeoutSeconds: 60,
    extra: { name: 'USDC', version: '2' },
  } as const
  const authorization = {
    from: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
    to: requirements.payTo,
    value: '1000',
    validAfter: '0',
    validBefore: String(Math.floor(Date.now() / 1000) + 50),
    nonce: `0x${'42'.repeat(32)}`,
  }
  // A signature of nobody's.
  const payload = { signature: `0x${'11'.repeat(64)}1b`, authorization }
  const payment = { x402Version: 2, accepted: requirements, payload, resource: { url: 'https://shop.example/a' } }
  expect(await client.verify(payment, requirements)).toMatchObject({
    isValid: false,
    invalidReason: 'invalid_exact_evm_signature',
  })
  expect(await client.settle(payment, requirements)).toMatchObject({
    success: false,
    errorReason: 'invalid_exact_evm_signature',
    transaction: '',
    network: 'eip155:84532',
  })
})
