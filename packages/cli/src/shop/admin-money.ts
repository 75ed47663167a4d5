import {
  assetByAddress,
  formatUnits,
  type Network,
  parseUnits,
  problem,
  type Settlement,
  v1NameOf,
  X402Error,
} from '@groat/core'
import type { Context } from 'hono'

/** The atomic units that an admin names as tokens in text; `undefined` where none are named, `wrong` where they cannot be read. */
export function unitsOf(network: Network, token: string, amount: unknown): bigint | 'wrong' | undefined {
  if (amount === undefined) return undefined
  const decimals = assetByAddress(network, token)?.decimals
  if (typeof amount !== 'string' || decimals === undefined) return 'wrong'
  try {
    return parseUnits(amount, decimals)
  } catch (error) {
    if (X402Error.is(error)) return 'wrong'
    throw error
  }
}

/** Atomic units as people read them. */
export function tokensOf(network: Network, token: string, units: bigint): string {
  const asset = assetByAddress(network, token)
  return asset === undefined ? `${units} of ${token}` : `${formatUnits(units, asset.decimals)} ${asset.symbol}`
}

/** A network as people write it. */
export const nameOf = (id: Network): string => v1NameOf(id) ?? id

/** Tells an admin what became of money that was to move, with where it stands now. */
export function answered(c: Context, settlement: Settlement, now: object | undefined): Response {
  if (settlement.status === 'refused') {
    const refusal = problem(settlement.code)
    return c.json(refusal, refusal.status as 402)
  }
  // Not known yet: whoever asks the same again is told.
  if (settlement.status === 'unknown') return c.json({ ...now, answer: 'unknown' }, 202)
  return c.json({ ...now, answer: 'settled', transaction: settlement.receipt.transaction })
}
