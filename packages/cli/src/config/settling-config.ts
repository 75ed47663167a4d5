import { parseUnits } from '@groat/core'
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
}

/** The account that pays for approvals, and how much at the most. */
export type SponsorConfig = {
  readonly account: string
  /** Wei that one payer is given for one approval. */
  readonly maxFunding?: bigint
  readonly perPayerAndDay?: number
}

const SCHEMES = ['exact', 'upto', 'batch-settlement'] as const

/** The fields of a network that say how it is settled on. */
export const Settling = {
  schemes: z.optional(
    z.array(z.enum(SCHEMES, 'expected exact, upto or batch-settlement')).check(z.minLength(1, 'names no scheme')),
  ),
  wallet_factories: z.optional(
    z.array(z.string().check(z.regex(/^0x[0-9a-fA-F]{40}$/, 'expected an address: 0x and 40 hex digits'))),
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
  /** Checks a key, and that it stands where keys may stand; throws what `fail` makes. */
  checkKey(key: string, field: readonly string[]): void
}

/**
 * Makes of the fields of one network what its schemes take. Throws what `fail` makes: for what this chain does not have, for a sponsor that
 * is one of the signers (its money is for strangers, theirs is not), and for an amount that is none.
 */
export function settlingOf(
  { schemes = ['exact'], wallet_factories, sponsor }: z.output<typeof Value>,
  { path, isEvm, signers, checkKey, fail }: Reading,
): SettlingConfig {
  const only = { schemes: schemes.find((name) => name !== 'exact'), wallet_factories, sponsor }
  for (const [field, value] of Object.entries(only)) {
    if (!isEvm && value !== undefined) throw fail([...path, field], 'is not there for this chain')
  }
  const twice = schemes.find((name, index) => schemes.indexOf(name) !== index)
  if (twice !== undefined) throw fail([...path, 'schemes'], `${twice} stands there twice`)
  if (!schemes.includes('exact') && (wallet_factories ?? sponsor) !== undefined) {
    throw fail([...path, 'schemes'], 'wallet_factories and sponsor are for exact, which is not among them')
  }
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

  function weiOf(coins: number | string): bigint {
    const text = String(coins)
    if (/^[0-9]{1,9}([.][0-9]{1,18})?$/.test(text)) return parseUnits(text, 18)
    throw fail([...path, 'sponsor', 'max_funding'], "expected an amount of the chain's own coin, such as 0.0005")
  }
}
