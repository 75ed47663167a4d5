import { createPayer } from '@groat/client'
import { type Asset, assetByTicker, network, systemRandom } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { exactEvmWithPermit2, privateKeyAccount } from '@groat/evm/exact/permit2/client'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { deployPlainToken, type EvmChain } from '@groat/sandbox'
import { createFacilitatorClient, createMemoryClaims } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { getRequestListener } from '@hono/node-server'
import { toClientEvmSigner } from '@x402/evm'
import { ExactEvmScheme as OfficialClient } from '@x402/evm/exact/client'
import { registerExactEvmScheme } from '@x402/evm/exact/facilitator'
import { createErc20ApprovalGasSponsoringExtension } from '@x402/extensions'
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { Hono } from 'hono'
import { encodeFunctionData, erc20Abi, type Hex, parseGwei } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import { listen } from './peers/listen.js'
import { officialFacilitator } from './peers/official.js'
import { officialSigner } from './peers/official-evm.js'
import { ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

// Payers who never let Permit2 take anything, and have no coin of the chain: through our gate, our engine and onto a chain.

const NETWORK = network('eip155:84532')
const PERMIT2 = { assetTransferMethod: 'permit2' }
const stage = useStage()
const { keep } = stage
let chain: EvmChain
let facilitator: string
let plain: Asset
let mint: (to: Hex, amount: bigint) => Promise<unknown>

beforeAll(async () => {
  chain = stage.chain
  const token = await deployPlainToken(chain)
  mint = token.mint
  plain = { network: NETWORK, symbol: 'TEST', address: token.address, decimals: 6, transfer: 'permit2' }
  const usdc = assetByTicker(NETWORK, 'USDC')
  if (usdc === undefined) throw new Error('no USDC')
  const signers = [chain.account('facilitator').privateKey]
  const settling = await createEvmChain({ network: NETWORK, rpc: chain.rpcUrl, signers, assets: [usdc, plain] })
  const sponsor = { account: chain.account('facilitator3').privateKey, perPayerAndDay: 10 }
  facilitator = (await keep(ourFacilitator(settles({ chains: [settling], sponsor })))).url
})

const clients: Record<string, (key: Hex) => (url: string) => Promise<Response>> = {
  ours: (key) => {
    const account = privateKeyToAccount(key)
    const wallet = {
      address: account.address,
      signTypedData: (data: object) => account.signTypedData(data as never),
      signTransaction: (transaction: object) => account.signTransaction(transaction as never),
    }
    const rpc = { [NETWORK]: chain.rpcUrl }
    return createPayer({ schemes: [exactEvmWithPermit2({ account: wallet, assets: [plain], rpc })] }).fetch
  },
  'ours, with an allowance of its own,'(key) {
    const [account, rpc] = [privateKeyAccount(key), { [NETWORK]: chain.rpcUrl }]
    return createPayer({
      schemes: [exactEvmWithPermit2({ account, assets: [plain], rpc })],
      policy: { allowance: '$0.02' },
    }).fetch
  },
  official: (key) => {
    const signer = toClientEvmSigner(privateKeyToAccount(key), chain.client as never)
    const client = new OfficialClient(signer, { rpcUrl: chain.rpcUrl } as never)
    return wrapFetchWithPaymentFromConfig(fetch, {
      schemes: [{ network: 'eip155:*', client: client as never }],
      spendControls: false,
    })
  },
}

/** A seller of ours, with one route that is paid by Permit2 in USDC and one in a token that knows neither permits nor authorizations. */
async function seller(): Promise<string> {
  const paid = paywall({
    facilitator,
    payTo: { [NETWORK]: chain.account('seller').address },
    schemes: [sells],
    store: createMemoryClaims({ singleProcess: true }),
  })
  const app = new Hono()
  app.get('/permit', paid({ offers: [{ price: '$0.01', extra: PERMIT2 }] }), (c) => c.json({ served: true }))
  app.get('/approval', paid({ offers: [{ price: '$0.01', asset: plain, extra: PERMIT2 }] }), (c) =>
    c.json({ served: true }),
  )
  await paid.ready()
  return (await keep(listen(getRequestListener(app.fetch)))).url
}

const allowance = (token: string, owner: Hex) =>
  chain.client.readContract({
    ...{ address: token as Hex, abi: erc20Abi, functionName: 'allowance' },
    args: [owner, chain.contracts.permit2.address],
  })

const balance = (token: string, owner: Hex) =>
  chain.client.readContract({ address: token as Hex, abi: erc20Abi, functionName: 'balanceOf', args: [owner] })

test.each(['ours', 'official'])('GAS-PERMIT-003 GAS-PERMIT-016 %s pays with a permit (EIP-2612)', async (client) => {
  const key = generatePrivateKey()
  const { address } = privateKeyToAccount(key)
  await chain.fund(address, 10_000n)
  const url = await seller()
  const before = await chain.balance(chain.account('seller').address)
  const answer = await clients[client]!(key)(`${url}/permit`)
  expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
  expect((await chain.balance(chain.account('seller').address)) - before).toBe(10_000n)
  expect(await chain.nativeBalance(address)).toBe(0n)
})

test.each([
  ['ours', [1, 1], 0n],
  ['ours, with an allowance of its own,', [1, 0], 0n],
  ['official', [1, 0], 2n ** 256n - 1n],
] as const)(
  'GAS-APPROVAL-001 GAS-APPROVAL-002 GAS-APPROVAL-030 %s pays with an approval that the sponsor pays for',
  async (client, times, left) => {
    const key = generatePrivateKey()
    const { address } = privateKeyToAccount(key)
    await mint(address, 30_000n)
    const url = await seller()
    const pay = clients[client]!(key)
    const of = chain.account('seller').address
    const before = await balance(plain.address, of)
    const sponsor = chain.account('facilitator3').address
    // With an approval each, or once with the allowance that the first one left.
    for (const sponsored of times) {
      const nonce = await chain.client.getTransactionCount({ address: sponsor })
      const answer = await pay(`${url}/approval`)
      expect([answer.status, await answer.json()]).toEqual([200, { served: true }])
      expect((await chain.client.getTransactionCount({ address: sponsor })) - nonce).toBe(sponsored)
    }
    expect((await balance(plain.address, of)) - before).toBe(20_000n)
    expect(await allowance(plain.address, address)).toBe(left)
  },
)

test('D2 D3 a settlement that nobody verified hands the sponsor nothing but approvals of Permit2', async () => {
  const key = generatePrivateKey()
  const account = privateKeyToAccount(key)
  await mint(account.address, 10_000n)
  const url = await seller()
  const asked: Wire[] = []
  // What the client signs is caught on its way.
  const caught: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const header = request.headers.get('PAYMENT-SIGNATURE')
    if (header === null) return fetch(request)
    const payment = JSON.parse(Buffer.from(header, 'base64').toString())
    asked.push(payment)
    return new Response(null, { status: 500 })
  }
  const signer = toClientEvmSigner(account, chain.client as never)
  const client = new OfficialClient(signer, { rpcUrl: chain.rpcUrl } as never)
  await wrapFetchWithPaymentFromConfig(caught, {
    schemes: [{ network: 'eip155:*', client: client as never }],
    spendControls: false,
  })(`${url}/approval`)
  const payment = asked[0]!
  const good = {
    ...({ type: 'eip1559', chainId: 84_532, nonce: 0, gas: 70_000n, to: plain.address as Hex } as const),
    ...{ maxFeePerGas: parseGwei('2'), maxPriorityFeePerGas: parseGwei('1') },
    data: encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [chain.permit2, 2n ** 256n - 1n] }),
  }
  const transfer = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [chain.permit2, 1n] })
  const bad: readonly [string, object][] = [
    ['erc20_approval_tx_wrong_chain', { chainId: 1 }],
    ['erc20_approval_tx_wrong_nonce', { nonce: 999 }],
    ['erc20_approval_tx_gas_above_limit', { gas: 30_000_000n }],
    ['erc20_approval_tx_fee_above_limit', { maxFeePerGas: 10n ** 15n }],
    ['erc20_approval_tx_value_not_zero', { value: 12_345n }],
    ['erc20_approval_tx_wrong_selector', { data: transfer }],
    ['erc20_approval_tx_wrong_target', { to: chain.usdc }],
  ]
  const facilitators = createFacilitatorClient(facilitator)
  const sponsor = chain.account('facilitator3').address
  const before = await chain.nativeBalance(sponsor)
  for (const [code, change] of bad) {
    const signedTransaction = await account.signTransaction({ ...good, ...change } as never)
    const { info } = payment.extensions.erc20ApprovalGasSponsoring
    const extensions = { erc20ApprovalGasSponsoring: { info: { ...info, signedTransaction } } }
    const request = {
      x402Version: 2,
      paymentPayload: { ...payment, extensions },
      paymentRequirements: payment.accepted,
    }
    const ask = async (path: string) => {
      const answer = await fetch(`${facilitator}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      })
      const { errorReason, invalidReason } = (await answer.json()) as Record<string, string>
      return errorReason ?? invalidReason
    }
    expect([await ask('settle'), await ask('verify')]).toEqual([code, code])
  }
  expect(await chain.nativeBalance(sponsor)).toBe(before)
  expect((await facilitators.supported()).extensions).toContain('erc20ApprovalGasSponsoring')
})

type Wire = { accepted: object; extensions: { erc20ApprovalGasSponsoring: { info: object } } }

test('GAS-APPROVAL-002 the official facilitator takes an approval of exactly the payment', async () => {
  const key = generatePrivateKey()
  const account = privateKeyAccount(key)
  await mint(account.address, 10_000n)
  // Who pays for gas is that facilitator's own affair.
  await chain.client.setBalance({ address: account.address, value: 10n ** 18n })
  const signer = officialSigner(chain, chain.account('facilitator2').privateKey)
  const sendTransactions = async (all: readonly (Hex | { readonly to: Hex; readonly data: Hex })[]) => {
    const hashes: Hex[] = []
    for (const each of all) {
      const hash =
        typeof each === 'string'
          ? await chain.client.sendRawTransaction({ serializedTransaction: each })
          : await signer.sendTransaction(each)
      await signer.waitForTransactionReceipt({ hash })
      hashes.push(hash)
    }
    return hashes
  }
  const { url } = await keep(
    officialFacilitator((official) => {
      registerExactEvmScheme(official, { signer, networks: 'eip155:84532' })
      official.registerExtension(createErc20ApprovalGasSponsoringExtension({ ...signer, sendTransactions } as never))
    }),
  )
  const offer = sells.offer({
    ...{ network: NETWORK, asset: plain, amount: 10_000n, payTo: chain.account('seller').address },
    ...{ maxTimeoutSeconds: 60, extra: PERMIT2 },
  })
  const extensions = { erc20ApprovalGasSponsoring: { info: { description: 'gas is on us', version: '1' }, schema: {} } }
  const half = exactEvmWithPermit2({ account, assets: [plain], rpc: { [NETWORK]: chain.rpcUrl } })
  const context = { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 600, extensions }
  const prepared = await half.prepare(offer, context)
  if (!prepared.ok) throw new Error(prepared.code)
  expect(prepared.allowance).toBe(10_000n)
  const accepted = { ...offer, amount: offer.amount.toString() }
  const paymentPayload = {
    x402Version: 2,
    accepted,
    payload: await prepared.sign(),
    extensions: prepared.extensions?.(),
  }
  const ask = async (path: string) => {
    const body = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: accepted })
    return (
      await fetch(`${url}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    ).json()
  }
  expect(await ask('/verify')).toMatchObject({ isValid: true })
  expect(await ask('/settle')).toMatchObject({ success: true })
  expect([await balance(plain.address, account.address), await allowance(plain.address, account.address)]).toEqual([
    0n,
    0n,
  ])
})
