import { assetByAddress, formatUnits, type Network, networkFamily, parseUnits } from '@groat/core'
import type { FacilitatorOptions, FinalityLevel } from '@groat/facilitator'
import type { ShortHour } from '@groat/facilitator/observe'
import type { FeeLimits } from '@groat/svm/exact/facilitator'
import * as z from 'zod/mini'
import type { ConfigFile } from './yaml-file.js'

/** How payments are settled: what of a facilitator's options the file can say. */
export type EngineConfig = Pick<
  FacilitatorOptions,
  'lease' | 'depth' | 'rebroadcast' | 'nodeLag' | 'finality' | 'limits'
>

/** What the engine is told of one network. */
export type NetworkRules = {
  /** Wei that one payment's transaction may cost at the most. */
  readonly maxTransactionFee?: bigint
  /** What a payment on Solana may cost the fee payer. */
  readonly fees?: FeeLimits
}

const SECONDS = 'expected seconds, from 1 to 3600, such as 15'
const Seconds = z.int({ error: SECONDS }).check(z.gte(1, SECONDS), z.lte(3600, SECONDS))
const COINS = "expected an amount of the chain's own coin, with 18 decimals at the most, such as 0.01"
const isCoins = (value: number | string) => /^[0-9]{1,18}([.][0-9]{1,18})?$/.test(String(value)) && Number(value) > 0
const Coins = z.union([z.number(), z.string()]).check(z.refine(isCoins, COINS))
const DOLLARS = 'expected dollars such as $20'
const Dollars = z.string({ error: DOLLARS }).check(z.regex(/^\$[0-9]{1,12}([.][0-9]{1,6})?$/, DOLLARS))
const Share = z.string().check(z.regex(/^[0-9]{1,3}([.][0-9]{1,2})?%$/, 'expected a share such as 5%'))
const Blocks = z.int().check(z.gt(0, 'expected a number of blocks, safe, or final'))
const Deep = z.enum(['safe', 'final'])

/** Fields of the file that are about the engine. */
export const EngineFields = z.optional(
  z.strictObject({
    lease: z.optional(Seconds),
    rebroadcast: z.optional(Seconds),
    depth: z.optional(z.int().check(z.gt(0), z.lte(64))),
  }),
)

/** Fields of `limits` that are about what settling costs. */
export const FeeFields = {
  fee_per_payment: z.optional(
    z.union(
      [Share, z.strictObject({ share: Share, at_least: Dollars })],
      'expected a share such as 5%, or { share, at_least }',
    ),
  ),
  fee_per_hour: z.optional(Dollars),
}

/** Fields of a network that are about the engine. */
export const NetworkFields = {
  coin_price: z.optional(Dollars),
  fee_per_transaction: z.optional(Coins),
  node_lag: z.optional(Seconds),
  finality: z.optional(
    z.union(
      [Blocks, Deep, z.record(z.string(), z.union([Blocks, Deep]))],
      'expected a number of blocks, safe, or final, or one of them by amount',
    ),
  ),
}

type Fees = { readonly [name in keyof typeof FeeFields]?: z.output<(typeof FeeFields)[name]> }
type Fields = { readonly [name in keyof typeof NetworkFields]?: z.output<(typeof NetworkFields)[name]> }
type Fail = ConfigFile<unknown>['fail']
type Named = { readonly name: string; readonly network: Network; readonly fields: Fields }

/**
 * Makes of the fields what the engine takes. Fees are counted in a chain's own coin, whose price in dollars the file says; a token that is
 * paid with counts as a dollar.
 */
export function engineOf(
  engine: z.output<typeof EngineFields>,
  fees: Fees,
  networks: readonly Named[],
  fail: Fail,
): {
  readonly engine: EngineConfig
  rulesOf(network: Network): NetworkRules
  /** What to say of an hour that has too little left. */
  hintForHour(short: ShortHour): string
} {
  const { lease, rebroadcast, depth } = engine ?? {}
  const perPayment = fees.fee_per_payment === undefined ? undefined : shareOf(fees.fee_per_payment)
  const perHour = fees.fee_per_hour === undefined ? undefined : dollarsOf(fees.fee_per_hour)
  const known = new Map(
    networks.map(({ name, network, fields }) => {
      const path = ['networks', name]
      const isSvm = networkFamily(network) === 'solana'
      const { coin_price, fee_per_transaction, finality, node_lag } = fields
      if (coin_price === undefined && (perPayment !== undefined || perHour !== undefined)) {
        throw fail(path, 'limits on fees in dollars take a coin_price, such as coin_price: $3000')
      }
      if (isSvm && fee_per_transaction !== undefined) {
        throw fail(
          [...path, 'fee_per_transaction'],
          'a payment on this chain says its own fee; limits.fee_per_payment bounds it',
        )
      }
      if (isSvm && node_lag !== undefined) {
        throw fail([...path, 'node_lag'], 'nothing waits for that on this chain: transactions there have no nonces')
      }
      const price = coin_price === undefined ? undefined : dollarsOf(coin_price)
      if (price === 0n) throw fail([...path, 'coin_price'], 'expected more than nothing')
      /** In the chain's own coin, what so many millionths of a dollar are. */
      const coin = (micros: bigint) => (price === undefined ? undefined : (micros * 10n ** (isSvm ? 9n : 18n)) / price)
      const levels = levelsOf(finality, (reason, key) =>
        fail([...path, 'finality', ...(key === undefined ? [] : [key])], reason),
      )
      const rules = rulesFor(isSvm, fee_per_transaction, perPayment, coin)
      const lag = node_lag === undefined ? undefined : node_lag * 1000
      /** Of so much of the chain's own coin, in dollars: no less than it is worth, or no more. */
      const dollars = (amount: bigint, rounding: 'up' | 'down') => {
        const unit = 10n ** (isSvm ? 9n : 18n)
        return `$${formatUnits((amount * (price ?? 0n) + (rounding === 'up' ? unit - 1n : 0n)) / unit, 6)}`
      }
      return [network, { isSvm, coin, dollars, levels, rules, lag }] as const
    }),
  )
  const tokensOf = (network: Network, asset: string, amount: bigint) =>
    (amount * MICRO) / 10n ** BigInt(assetByAddress(network, asset)?.decimals ?? 6)

  const limits: FacilitatorOptions['limits'] = {
    ...(perPayment && {
      feePerPayment({ network, asset, amount }) {
        const { coin, isSvm } = known.get(network) ?? {}
        if (coin === undefined || isSvm) return undefined
        const share = (tokensOf(network, asset, amount) * perPayment.points) / 10_000n
        return coin(share > perPayment.least ? share : perPayment.least)
      },
    }),
    ...(perHour === undefined ? {} : { feePerHour: (network: Network) => known.get(network)?.coin(perHour) }),
  }
  const hasFinality = [...known.values()].some(({ levels }) => levels.length > 0)
  return {
    engine: {
      limits,
      nodeLag: (network) => known.get(network)?.lag,
      ...(lease === undefined ? {} : { lease: lease * 1000 }),
      ...(rebroadcast === undefined ? {} : { rebroadcast: rebroadcast * 1000 }),
      ...(depth === undefined ? {} : { depth }),
      ...(hasFinality && {
        finality({ network, asset, amount }) {
          const tokens = tokensOf(network, asset, amount)
          return known.get(network)?.levels.findLast(({ from }) => tokens >= from)?.level ?? 1
        },
      }),
    },
    rulesOf: (network) => known.get(network)?.rules ?? {},
    hintForHour({ network, cost, left }) {
      const { dollars } = known.get(network) ?? {}
      const sums = `${dollars?.(left, 'down')} left, and what is to be sent costs ${dollars?.(cost, 'up')}`
      return `limits.fee_per_hour has ${sums}: wait for lower fees, or raise it.`
    },
  }
}

function rulesFor(
  isSvm: boolean,
  perTransaction: Fields['fee_per_transaction'],
  perPayment: ReturnType<typeof shareOf> | undefined,
  coin: (micros: bigint) => bigint | undefined,
): NetworkRules {
  if (isSvm) {
    if (perPayment === undefined) return {}
    const [lamports, lamportsPerUnit] = [coin(perPayment.least), coin((MICRO * perPayment.points) / 10_000n)]
    return { fees: { lamports: lamports ?? 0n, lamportsPerUnit: lamportsPerUnit ?? 0n } }
  }
  const most = perTransaction === undefined ? undefined : parseUnits(String(perTransaction), 18)
  return most === undefined ? {} : { maxTransactionFee: most }
}

type Tier = { readonly from: bigint; readonly level: FinalityLevel }

/** From which amount on, in millionths of a token, which depth is asked; the smallest first. */
function levelsOf(finality: Fields['finality'], fail: (reason: string, key?: string) => Error): readonly Tier[] {
  if (finality === undefined) return []
  if (typeof finality !== 'object') return [{ from: 0n, level: finality }]
  const tiers = Object.entries(finality).map(([tokens, level]): Tier => {
    if (!/^[0-9]{1,18}([.][0-9]{1,6})?$/.test(tokens)) {
      throw fail('expected a number of tokens, from which on it holds', tokens)
    }
    return { from: parseUnits(tokens, 6), level }
  })
  return tiers.sort((a, b) => (a.from < b.from ? -1 : 1))
}

/** Hundredths of a per cent, and millionths of a dollar. */
function shareOf(text: string | { readonly share: string; readonly at_least: string }) {
  const { share, at_least } = typeof text === 'string' ? { share: text, at_least: '$0' } : text
  return { points: parseUnits(share.slice(0, -1), 2), least: dollarsOf(at_least) }
}

/** Millionths of a dollar. */
function dollarsOf(text: string): bigint {
  return parseUnits(text.slice(1), 6)
}

const MICRO = 1_000_000n
