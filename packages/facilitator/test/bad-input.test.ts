import {
  assetByTicker,
  encodeFacilitatorRequest,
  errorInfo,
  type FacilitatorRequest,
  isErrorCode,
  type JsonObject,
  network,
} from '@groat/core'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { exactEvm as sellsExact } from '@groat/evm/exact/server'
import {
  delegate7702,
  deployDelegationManager,
  deployDelegatorAccount,
  deployHostileDelegator,
  deployWalletFactory,
} from '@groat/sandbox'
import { beforeEach, describe, expect, test } from 'vitest'
import { delegatedAccount, keyOf, payByDelegation } from '../../evm/testing/delegation.js'
import { serveFacilitator } from '../src/index.js'
import { PRICE, settlingChain, useFacilitator } from './chain-kit.js'
import { allSchemes, payIn, type Way } from './hostile/payments.js'

// Input that is wrong in one place, for every way of paying that has such a place, over HTTP and on a real node: its registered code in verify and in settle, no
// gas, nothing moved, nothing thrown.

const on = useFacilitator()
const usdc = assetByTicker(network('base-sepolia'), 'USDC')!
const BATCH = 'invalid_batch_settlement_evm_'
const HOLD = 'invalid_auth_capture_evm_'
const SIGNATURE = 'invalid_permit2_signature'
const seconds = () => Math.floor(Date.now() / 1000)
const address = (role: Parameters<typeof on.chain.account>[0]) => on.chain.account(role).address
type Request = FacilitatorRequest
type Hex = `0x${string}`

/** Where each way writes what is signed, and the signature. */
const signed: Readonly<Record<Way, readonly [authorization: string, signature: string]>> = {
  'exact by EIP-3009': ['authorization', 'signature'],
  'exact by Permit2': ['permit2Authorization', 'signature'],
  upto: ['permit2Authorization', 'signature'],
  'a deposit by EIP-3009': [
    'deposit.authorization.erc3009Authorization',
    'deposit.authorization.erc3009Authorization.signature',
  ],
  'a deposit by Permit2': [
    'deposit.authorization.permit2Authorization',
    'deposit.authorization.permit2Authorization.signature',
  ],
  'a hold by EIP-3009': ['authorization', 'signature'],
  'a hold by Permit2': ['permit2Authorization', 'signature'],
}

function read(request: Request, path: string): unknown {
  return path.split('.').reduce<unknown>((at, name) => (at as JsonObject)[name], request.payment.payload)
}

/** The request with one member of its payload replaced. */
function changed(request: Request, path: string, value: unknown): Request {
  const payload = structuredClone(request.payment.payload) as Record<string, unknown>
  const names = path.split('.')
  const last = names.pop() ?? ''
  const at = names.reduce((each, name) => each[name] as Record<string, unknown>, payload)
  at[last] = value
  return { ...request, payment: { ...request.payment, payload: payload as JsonObject } }
}

type Change = (request: Request, way: Way) => Request | Promise<Request>
const authorization =
  (member: string, value: (way: Way) => unknown): Change =>
  (request, way) =>
    changed(request, `${signed[way][0]}.${member}`, value(way))
const signature =
  (change: (text: Hex) => Hex | Promise<Hex>): Change =>
  async (request, way) =>
    changed(request, signed[way][1], await change(read(request, signed[way][1]) as Hex))

const ORDER = BigInt('0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141')
const parity = (text: Hex) => Number.parseInt(text.slice(130), 16) - 27
const word = (value: bigint) => value.toString(16).padStart(64, '0')
const sOf = (text: Hex) => BigInt(`0x${text.slice(66, 130)}`)
const malleated = signature(
  (text) => `${text.slice(0, 66)}${word(ORDER - sOf(text))}${(28 - parity(text)).toString(16)}` as Hex,
)
const bareParity = signature((text) => `${text.slice(0, 130)}0${parity(text)}` as Hex)
const compact = signature((text) => `${text.slice(0, 66)}${word(sOf(text) | (BigInt(parity(text)) << 255n))}` as Hex)
const without = signature(() => '0x')

const invalidate: Change = async (request, way) => {
  const [permit] = [signed[way][0]]
  const nonce = BigInt(read(request, `${permit}.nonce`) as string)
  // invalidateUnorderedNonces(uint256,uint256)
  await transact(on.chain.permit2, `0x3ff9dcb1${word(nonce >> 8n)}${word(1n << (nonce & 255n))}`)
  return request
}
const cancel: Change = async (request, way) => {
  const nonce = read(request, `${signed[way][0]}.nonce`) as Hex
  const by = keyOf(on.chain, 'payer')
  const types = {
    CancelAuthorization: [
      { name: 'authorizer', type: 'address' },
      { name: 'nonce', type: 'bytes32' },
    ],
  } as const
  const domain = { ...usdc.domain, chainId: 84_532, verifyingContract: on.chain.usdc }
  const message = { authorizer: by.address, nonce }
  const text = await by.signTypedData({ domain, types, primaryType: 'CancelAuthorization', message })
  // cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)
  const words = [word(BigInt(by.address)), nonce.slice(2), word(BigInt(parity(text) + 27)), text.slice(2, 130)]
  await transact(on.chain.usdc, `0x5a049a70${words.join('')}`)
  return request
}
const forget: Change = async (request) => {
  await transact(on.chain.usdc, `0x095ea7b3${word(BigInt(on.chain.permit2))}${word(0n)}`)
  return request
}
/** Of a wallet that is not there yet, in the envelope of its factory. */
const undeployed: Change = async (request, way) => {
  const wallet = await (await deployWalletFactory(on.chain)).predict(address('payer'))
  await on.chain.fund(wallet.address, 10n * PRICE)
  const own = way.startsWith('a deposit') ? request : changed(request, `${signed[way][0]}.from`, wallet.address)
  return signature((text) => wallet.wrap(text))(own, way)
}
/** What was signed for one recipient, under the terms of another. */
const elsewhere: Change = (request) => {
  const terms = { ...request.requirements, payTo: address('payer2') }
  const moved = changed(request, 'permit2Authorization.witness.to', address('payer2'))
  return { requirements: terms, payment: { ...moved.payment, accepted: terms } }
}

async function transact(to: Hex, data: Hex): Promise<void> {
  const hash = await on.chain.client.sendUnsignedTransaction({ from: address('payer'), to, data })
  expect((await on.chain.client.waitForTransactionReceipt({ hash })).status).toBe('success')
}

const other = () => address('payer3')
const past = () => String(seconds() - 1)
type Codes = Partial<Record<Way, string>>
const table: readonly (readonly [input: string, Change | Partial<Record<Way, Change>>, Codes])[] = [
  [
    'wrong spender',
    authorization('spender', other),
    {
      'exact by Permit2': 'invalid_permit2_spender',
      upto: 'invalid_permit2_spender',
      'a deposit by Permit2': `${BATCH}permit2_invalid_spender`,
      'a hold by Permit2': `${HOLD}token_collector_mismatch`,
    },
  ],
  [
    'wrong recipient',
    authorization('to', other),
    {
      'exact by EIP-3009': 'invalid_exact_evm_recipient_mismatch',
      'a hold by EIP-3009': `${HOLD}token_collector_mismatch`,
    },
  ],
  [
    'wrong witness',
    {
      'exact by Permit2': authorization('witness.to', other),
      upto: authorization('witness.to', other),
      'a deposit by Permit2': authorization('witness.channelId', () => `0x${'7'.repeat(64)}`),
    },
    {
      'exact by Permit2': 'invalid_permit2_recipient_mismatch',
      upto: 'invalid_permit2_recipient_mismatch',
      'a deposit by Permit2': `${BATCH}channel_id_mismatch`,
    },
  ],
  [
    'witness of another facilitator',
    authorization('witness.facilitator', other),
    { upto: 'upto_facilitator_mismatch' },
  ],
  ['witness that was not signed', elsewhere, { 'exact by Permit2': SIGNATURE, upto: SIGNATURE }],
  ...(
    [
      ['malleated signature', malleated],
      ['signature with v 0 or 1', bareParity],
      ['signature of 64 bytes', compact],
      ['no signature', without],
    ] as const
  ).map(
    ([input, change]) =>
      [
        input,
        change,
        {
          'exact by EIP-3009': 'invalid_exact_evm_signature',
          'exact by Permit2': SIGNATURE,
          upto: SIGNATURE,
          'a deposit by EIP-3009': `${BATCH}receive_authorization_signature`,
          'a deposit by Permit2': `${BATCH}permit2_invalid_signature`,
          'a hold by EIP-3009': `${HOLD}signature`,
          'a hold by Permit2': `${HOLD}signature`,
        },
      ] as const,
  ),
  ...(
    [
      ['amount in hexadecimal', '0x3e8'],
      ['amount with a point', '1000.0'],
    ] as const
  ).flatMap(([input, text]) => [
    [
      input,
      authorization('permitted.amount', () => text),
      {
        'exact by Permit2': 'invalid_payload',
        upto: 'invalid_payload',
        'a deposit by Permit2': 'invalid_payload',
        'a hold by Permit2': 'invalid_payload',
      },
    ] as const,
    [
      input,
      authorization('value', () => text),
      { 'exact by EIP-3009': 'invalid_payload', 'a hold by EIP-3009': 'invalid_payload' },
    ] as const,
    [
      `deposit: ${input}`,
      (request: Request) => changed(request, 'deposit.amount', text),
      { 'a deposit by Permit2': 'invalid_payload', 'a deposit by EIP-3009': 'invalid_payload' },
    ] as const,
    [
      `voucher: ${input}`,
      (request: Request) => changed(request, 'voucher.maxClaimableAmount', text),
      { 'a deposit by Permit2': 'invalid_payload', 'a deposit by EIP-3009': 'invalid_payload' },
    ] as const,
  ]),
  [
    'used nonce',
    invalidate,
    {
      'exact by Permit2': 'permit2_invalid_nonce',
      upto: 'permit2_invalid_nonce',
      'a deposit by Permit2': 'permit2_invalid_nonce',
      'a hold by Permit2': 'permit2_invalid_nonce',
    },
  ],
  ['used nonce', cancel, { 'exact by EIP-3009': 'invalid_exact_evm_nonce_already_used' }],
  [
    'expired deadline',
    authorization('deadline', past),
    {
      'exact by Permit2': 'permit2_deadline_expired',
      upto: 'permit2_deadline_expired',
      'a deposit by Permit2': `${BATCH}permit2_deadline_expired`,
    },
  ],
  [
    'expired deadline',
    authorization('validBefore', past),
    {
      'exact by EIP-3009': 'invalid_exact_evm_payload_authorization_valid_before',
      'a deposit by EIP-3009': `${BATCH}payload_authorization_valid_before`,
    },
  ],
  [
    'expired deadline',
    // All of it hangs on the end.
    (_, way) => payIn(way, on.chain, usdc, PRICE, () => Date.now() - 61_000),
    {
      'exact by EIP-3009': 'invalid_exact_evm_payload_authorization_valid_before',
      'exact by Permit2': 'permit2_deadline_expired',
      upto: 'permit2_deadline_expired',
      'a deposit by EIP-3009': `${BATCH}payload_authorization_valid_before`,
      'a deposit by Permit2': `${BATCH}permit2_deadline_expired`,
      'a hold by EIP-3009': `${HOLD}authorization_expired`,
      'a hold by Permit2': `${HOLD}authorization_expired`,
    },
  ],
  [
    'no allowance',
    forget,
    {
      'exact by Permit2': 'permit2_allowance_required',
      upto: 'permit2_allowance_required',
      'a deposit by Permit2': `${BATCH}permit2_allowance_required`,
      'a hold by Permit2': 'permit2_allowance_required',
    },
  ],
  [
    'factory that is not allowed',
    undeployed,
    {
      'exact by EIP-3009': 'eip6492_factory_not_allowed',
      'exact by Permit2': SIGNATURE,
      upto: SIGNATURE,
      'a deposit by EIP-3009': 'eip6492_factory_not_allowed',
      'a deposit by Permit2': `${BATCH}permit2_invalid_signature`,
    },
  ],
]
const rows = table.flatMap(([input, change, codes]) =>
  Object.entries(codes).map(([way, code]) => {
    // The keys are those of the table.
    const by = way as Way
    return [input, by, typeof change === 'function' ? change : change[by]!, code] as const
  }),
)

/** What a caller of the service is told, of a request that must cost nothing. */
async function answers(request: Request): Promise<readonly string[]> {
  const purse = () =>
    Promise.all([
      on.chain.nativeBalance(address('facilitator')),
      on.chain.client.getTransactionCount({ address: address('facilitator') }),
    ])
  const tokens = () => Promise.all([on.chain.balance(address('payer')), on.chain.balance(address('seller'))])
  const before = [await purse(), await tokens()]
  const body = JSON.stringify(encodeFacilitatorRequest(request))
  const codes: string[] = []
  for (const path of ['verify', 'settle', 'verify']) {
    const response = await fetch(`${url}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    const said = (await response.json()) as Record<string, unknown>
    expect([response.status, said.isValid ?? said.success]).toEqual([expect.toSatisfy((status) => status < 500), false])
    codes.push(String(said.invalidReason ?? said.errorReason))
  }
  expect([await purse(), await tokens()]).toEqual(before)
  expect(on.faults).toEqual([])
  return codes
}

let url: string

beforeEach(async () => {
  await on.approvePermit2('payer')
})

/** The service over HTTP, for as long as the work takes. */
async function served(options: Parameters<typeof on.serve>[0], work: () => Promise<void>): Promise<void> {
  const listening = await serveFacilitator(await on.serve(options), {
    port: 0,
    onFault: (fault) => on.faults.push(fault),
  })
  url = listening.url
  await work().finally(() => listening.close())
}

describe('bad input: its registered code, no gas, nothing thrown', () => {
  test.each(rows)('%s, %s', async (_, way, change, code) => {
    const schemes = allSchemes(await settlingChain(on.chain.rpcUrl, ['facilitator']))
    await served({ schemes }, async () => {
      const request = await payIn(way, on.chain, usdc, PRICE)
      expect(await answers(await change(request, way))).toEqual([code, code, code])
      expect(isErrorCode(code) && errorInfo(code).status).toBe(code.endsWith('allowance_required') ? 412 : 402)
    })
  })

  test.each([
    ['reverts', 'reverting', 'erc7710_simulation_failed'],
    ['burns gas', 'burning-gas', 'erc7710_simulation_failed'],
    ['is of a manager that nobody allowed', undefined, 'erc7710_manager_not_allowed'],
  ] as const)('delegation that %s', async (_, conduct, code) => {
    const manager = await deployDelegationManager(on.chain)
    const delegator =
      conduct === undefined
        ? await deployDelegatorAccount(on.chain, manager.address)
        : (await deployHostileDelegator(on.chain, conduct, address('payer4'))).address
    await delegate7702(on.chain, address('payer'), delegator)
    const allowed = conduct === undefined ? await deployDelegationManager(on.chain) : manager
    const chains = [await settlingChain(on.chain.rpcUrl, ['facilitator'])]
    await served({ schemes: [exactEvm({ chains, delegations: { managers: [allowed.address] } })] }, async () => {
      const extra = { facilitators: [address('facilitator')], delegationManagers: [manager.address] }
      const kind = { x402Version: 2, scheme: 'exact', network: usdc.network, extra } as const
      const terms = { network: usdc.network, asset: usdc, amount: PRICE, maxTimeoutSeconds: 120, kind }
      const requirements = sellsExact.offer({
        ...terms,
        payTo: address('seller'),
        extra: { assetTransferMethod: 'erc7710' },
      })
      const account = delegatedAccount(manager, address('payer'), keyOf(on.chain, 'payer'))
      const request = { requirements, payment: await payByDelegation(requirements, account) }
      expect(await answers(request)).toEqual([code, code, code])
      expect(isErrorCode(code)).toBe(true)
    })
  })
})
