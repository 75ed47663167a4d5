import { type Asset, parseUnits } from '@groat/core'
import { whyNotCallable } from '@groat/evm/exact/facilitator'
import { SELF_BATCH } from '@groat/evm/self-batch'
import * as z from 'zod/mini'
import type { ConfigFile } from './yaml-file.js'

/** A scheme that `groat facilitator` settles. */
export type SettledScheme = (typeof SCHEMES)[number]

/** How payments on one chain are settled, beside its nodes, signers and tokens. */
export type SettlingConfig = {
  /** `exact` alone unless told. */
  readonly schemes: readonly SettledScheme[]
  /** Contracts that may create payers' wallets at the operator's cost (ERC-6492); none unless told. */
  readonly walletFactories?: readonly string[]
  /** Who pays for payers' approvals of Permit2; nobody unless told. */
  readonly sponsor?: SponsorConfig
  /** Contracts through which payments by delegation are taken (ERC-7710); none unless told. */
  readonly delegations?: DelegationConfig
  /** The delegate of the signers, through which what only they may send travels together; absent: it travels alone. */
  readonly selfBatch?: string
  /** Whether transactions are handed in by `eth_sendRawTransactionSync`. */
  readonly sendAndWait?: boolean
  /** What payments that are held in escrow earn, and who may have them refunded. */
  readonly authCapture?: AuthCaptureConfig
}

/** Delegation managers that are called, and gas that one payment may use. */
export type DelegationConfig = { readonly managers: readonly string[]; readonly gas?: bigint }

/** The operator's part of every payout, and receivers whose refunds it pays for out of its own tokens. */
export type AuthCaptureConfig = {
  readonly fee?: { readonly bps: number; readonly recipient: string }
  readonly refundsFor?: readonly string[]
}

/** The account that pays for approvals, and how much at the most. */
export type SponsorConfig = {
  readonly account: string
  /** Wei that one payer is given for one approval. */
  readonly maxFunding?: bigint
  readonly perPayerAndDay?: number
}

const SCHEMES = ['exact', 'upto', 'batch-settlement', 'auth-capture'] as const

const Address = z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/, 'expected an address: 0x and 40 hex digits'))

/** The fields of a network that say how it is settled on. */
export const Settling = {
  schemes: z.optional(
    z
      .array(z.enum(SCHEMES, 'expected exact, upto, batch-settlement or auth-capture'))
      .check(z.minLength(1, 'names no scheme')),
  ),
  wallet_factories: z.optional(z.array(Address)),
  self_batch: z.optional(z.union([z.literal(true), Address])),
  send_and_wait: z.optional(z.boolean()),
  delegations: z.optional(
    z.strictObject({
      managers: z.array(Address).check(z.minLength(1, 'names no manager; leave it out to take none')),
      gas: z.optional(z.int().check(z.gte(100_000), z.lte(5_000_000))),
    }),
  ),
  auth_capture: z.optional(
    z.strictObject({
      fee: z.optional(z.strictObject({ bps: z.int().check(z.gte(1), z.lte(10_000)), recipient: Address })),
      refunds_for: z.optional(z.array(Address).check(z.minLength(1))),
    }),
  ),
  sponsor: z.optional(
    z.strictObject({
      account: z.string(),
      max_funding: z.optional(z.union([z.number(), z.string()])),
      per_payer_and_day: z.optional(z.int().check(z.gt(0))),
    }),
  ),
}

const Value = z.object(Settling)

type Reading = Pick<ConfigFile<unknown>, 'fail'> & {
  readonly path: readonly string[]
  readonly isEvm: boolean
  readonly signers: readonly string[]
  /** Tokens that are settled: none of them is called as anything else. */
  readonly tokens: readonly Asset[]
  /** Checks a key, and that it stands where keys may stand; throws what `fail` makes. */
  checkKey(key: string, field: readonly string[]): void
}

/**
 * Makes of the fields of one network what its schemes take. Throws what `fail` makes: for what this chain does not have, for a sponsor that
 * is one of the signers (its money is for strangers, theirs is not), and for an amount that is none.
 */
export function settlingOf(
  {
    schemes = ['exact'],
    wallet_factories,
    sponsor,
    delegations,
    auth_capture,
    self_batch,
    send_and_wait,
  }: z.output<typeof Value>,
  { path, isEvm, signers, tokens, checkKey, fail }: Reading,
): SettlingConfig {
  const more = { wallet_factories, sponsor, delegations, auth_capture, self_batch, send_and_wait }
  const only = { schemes: schemes.find((name) => name !== 'exact'), ...more }
  for (const [field, value] of Object.entries(only)) {
    if (!isEvm && value !== undefined) throw fail([...path, field], 'is not there for this chain')
  }
  const twice = schemes.find((name, index) => schemes.indexOf(name) !== index)
  if (twice !== undefined) throw fail([...path, 'schemes'], `${twice} stands there twice`)
  if (!schemes.includes('exact') && (wallet_factories ?? delegations) !== undefined) {
    throw fail([...path, 'schemes'], 'wallet_factories and delegations are for exact, which is not among them')
  }
  if (sponsor !== undefined && !schemes.some((name) => SPONSORED.has(name))) {
    throw fail([...path, 'schemes'], 'sponsor is for exact, upto and batch-settlement, none of which is among them')
  }
  if (!schemes.includes('auth-capture') && auth_capture !== undefined) {
    throw fail([...path, 'schemes'], 'auth_capture is for auth-capture, which is not among them')
  }
  checkCallable(['wallet_factories'], wallet_factories)
  checkCallable(['delegations', 'managers'], delegations?.managers)
  if (sponsor !== undefined) {
    const field = [...path, 'sponsor', 'account']
    checkKey(sponsor.account, field)
    if (signers.some((key) => key.toLowerCase() === sponsor.account.toLowerCase())) {
      throw fail(field, 'takes an account of its own, which signs nothing else')
    }
  }
  return {
    schemes,
    ...(wallet_factories === undefined ? {} : { walletFactories: wallet_factories }),
    ...(self_batch === undefined ? {} : { selfBatch: self_batch === true ? SELF_BATCH : self_batch }),
    ...(send_and_wait === undefined ? {} : { sendAndWait: send_and_wait }),
    ...(delegations === undefined ? {} : { delegations: delegationsOf(delegations) }),
    ...(auth_capture === undefined ? {} : { authCapture: authCaptureOf(auth_capture) }),
    ...(sponsor === undefined
      ? {}
      : {
          sponsor: {
            account: sponsor.account,
            ...(sponsor.max_funding === undefined ? {} : { maxFunding: weiOf(sponsor.max_funding) }),
            ...(sponsor.per_payer_and_day === undefined ? {} : { perPayerAndDay: sponsor.per_payer_and_day }),
          },
        }),
  }

  /** What is called there is called with what strangers write. */
  function checkCallable(field: readonly string[], contracts: readonly string[] = []): void {
    for (const [index, contract] of contracts.entries()) {
      const reason = whyNotCallable(contract, tokens)
      if (reason !== undefined) throw fail([...path, ...field, index], `${contract} ${reason}`)
    }
  }

  function weiOf(coins: number | string): bigint {
    const text = String(coins)
    if (/^[0-9]{1,9}([.][0-9]{1,18})?$/.test(text)) return parseUnits(text, 18)
    throw fail([...path, 'sponsor', 'max_funding'], "expected an amount of the chain's own coin, such as 0.0005")
  }
}

type Fields = z.output<typeof Value>

function delegationsOf({ managers, gas }: NonNullable<Fields['delegations']>): DelegationConfig {
  return { managers, ...(gas === undefined ? {} : { gas: BigInt(gas) }) }
}

function authCaptureOf({ fee, refunds_for }: NonNullable<Fields['auth_capture']>): AuthCaptureConfig {
  return { ...(fee === undefined ? {} : { fee }), ...(refunds_for === undefined ? {} : { refundsFor: refunds_for }) }
}

/** Schemes that can be paid by Permit2, whose approvals a sponsor pays for. */
const SPONSORED: ReadonlySet<string> = new Set(['exact', 'upto', 'batch-settlement'])
