import { type Asset, type Clock, canonicalAddress, systemClock, type X402Event } from '@groat/core'
import type { Balances } from './spending-guard.js'

/** Balances that are known from before, for a short time. */
export type CachedBalances = {
  /** What is there, with what was signed since taken off. Asked anew when what is known does not cover `needed` atomic units. */
  readonly look: (asset: Asset, account: string, needed: bigint) => Promise<bigint | undefined>
  /** Told of payments of one's own: what is signed is gone, and what is refused makes what is known worthless. */
  readonly watch: (event: X402Event) => void
}

/**
 * Keeps what was seen of balances for so many seconds, so that not every payment waits for a node. What an account has spent by this buyer since is taken
 * off; and nothing is refused by an old word: too little is looked up again. Belongs to one buyer.
 *
 * @example
 * const buyer = createBuyer({ schemes, policy, balances: cachedBalances(balancesEvm(nodes), 30) })
 */
export function cachedBalances(balances: Balances, seconds: number, clock: Clock = systemClock): CachedBalances {
  const known = new Map<string, Known>()

  function ask(asset: Asset, account: string, key: string): Known {
    const entry: Known = { until: clock() + seconds * 1000, spent: 0n, units: balances(asset, account) }
    // A node that fails is asked again by the next payment.
    const forget = () => known.get(key) === entry && known.delete(key)
    entry.units.then((units) => units === undefined && forget(), forget)
    for (const oldest of known.keys()) if (known.size >= MAX_KNOWN) known.delete(oldest)
    known.set(key, entry)
    return entry
  }

  return {
    async look(asset, account, needed) {
      const key = keyOf(asset.network, asset.address, account)
      const before = known.get(key)
      if (before !== undefined && before.until > clock()) {
        const left = leftOf(before, await before.units)
        if (left === undefined || left >= needed) return left
      }
      const latest = known.get(key)
      // Whoever waited for the same old word asks once, together.
      const fresh = latest !== undefined && latest !== before ? latest : ask(asset, account, key)
      return leftOf(fresh, await fresh.units)
    },
    watch({ type, network, asset, payer, amount }) {
      if (network === undefined || asset === undefined || payer === undefined) return
      const key = keyOf(network, asset, payer)
      const entry = known.get(key)
      if (type === 'payment_signed' && entry !== undefined) entry.spent += amount ?? 0n
      if (type === 'payment_refused') known.delete(key)
    },
  }
}

const MAX_KNOWN = 256

type Known = { readonly until: number; readonly units: Promise<bigint | undefined>; spent: bigint }

function leftOf({ spent }: Known, units: bigint | undefined): bigint | undefined {
  if (units === undefined) return undefined
  return units > spent ? units - spent : 0n
}

const keyOf = (network: string, asset: string, account: string) =>
  `${network} ${canonicalAddress(asset)} ${canonicalAddress(account)}`
