import { assetByAddress, formatUnits, isNetwork, v1NameOf } from '@groat/core'
import { type Io, shortened } from './io.js'

/**
 * A line of the log for people: when, what, and the rest as pairs. On a terminal ids are as short as one can still tell them apart; in a file they are
 * whole, so that what is looked for is found.
 *
 * @example
 * readable('{"time":"2026-01-31T12:00:00.000Z","level":"info","pid":"8f3c…","msg":"payment_settled"}', io)
 */
export function readable(line: string, { progress }: Pick<Io, 'progress'>): string {
  // The log has just written it.
  const {
    time,
    level: _,
    msg,
    network,
    asset,
    amount,
    payTo: __,
    ...rest
  } = JSON.parse(line) as Record<string, unknown>
  const on = typeof network === 'string' ? network : undefined
  const paid = moneyOf(on, asset, amount)
  const pairs = Object.entries({
    ...(paid === undefined ? {} : { amount: paid }),
    ...(on === undefined ? {} : { network: on }),
    ...rest,
  }).map(
    ([key, value]) =>
      `${key}=${typeof value === 'string' ? textOf(key, value, progress !== undefined) : JSON.stringify(value)}`,
  )
  return withNames([time, msg, ...pairs].join(' '))
}

/** People know networks by their names, wherever in a line they stand; machines, by their ids. */
function withNames(text: string): string {
  return text.replace(/\b(?:eip155:[0-9]{1,20}|solana:[1-9A-HJ-NP-Za-km-z]{32})\b/g, (id) =>
    isNetwork(id) ? (v1NameOf(id) ?? id) : id,
  )
}

/** Whose shop it is stands in no line of its log. */
function textOf(key: string, value: string, isWatched: boolean): string {
  if (key === 'resource' && URL.canParse(value)) return new URL(value).pathname
  // A signer is what has to be funded.
  return isWatched && key !== 'signer' ? shortened(value) : value
}

function moneyOf(network: string | undefined, asset: unknown, amount: unknown): string | undefined {
  if (typeof amount !== 'string') return undefined
  const known =
    network !== undefined && isNetwork(network) && typeof asset === 'string'
      ? assetByAddress(network, asset)
      : undefined
  return known === undefined || !/^[0-9]{1,78}$/.test(amount)
    ? amount
    : `${formatUnits(BigInt(amount), known.decimals)}_${known.symbol}`
}
