import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { X402Error } from '@groat/core'
import { isInside } from '../buyer/private-address.js'
import type { Resolve } from '../buyer/spending-guard.js'

/** One view of names for whoever decides and for the sockets: what was checked is what is connected to. */
export type PinnedNames = {
  /** For `createBuyer`: all addresses that a socket of this process has been given for a name, or will be. */
  readonly resolve: Resolve
  /** For `connect` of an undici `Agent`, and for `http.Agent`. */
  readonly lookup: LookupFunction
  /** Whether a socket was given addresses for a name by `lookup`: else whoever connects looks the name up by itself. */
  readonly isConnected: (name: string) => boolean
}

/** How names are looked up. */
export type PinnedNamesOptions = {
  /** Milliseconds for which an answer is kept. Default 60 000. */
  readonly keepMs?: number
  /** Names that are kept. Default 1024. */
  readonly maxNames?: number
  readonly clock?: () => number
  /** Asks the system, all addresses of a name; Node's own unless told. */
  readonly ask?: (name: string) => Promise<readonly LookupAddress[]>
}

/**
 * Closes the gap between looking at where a name leads and connecting to it, in which the name may begin to lead into a private network. A socket is
 * given the addresses that were looked at. A name that has led outside is from then on never connected to inside (`X402Error` `private_address`), and one that
 * has led inside stays refused, whatever it leads to later: a connection to there may still be open.
 *
 * @example
 * const names = pinnedNames()
 * const dispatcher = new Agent({ connect: { lookup: names.lookup } })
 * const buyer = createBuyer({ schemes, resolve: names.resolve, fetch: (input, init) => fetch(input, { ...init, dispatcher }) })
 */
export function pinnedNames(options: PinnedNamesOptions = {}): PinnedNames {
  const { keepMs = 60_000, maxNames = 1_024, clock = Date.now, ask = askSystem } = options
  const pins = new Map<string, Pin>()
  const connected = new Set<string>()

  async function find(name: string): Promise<Pin> {
    const known = pins.get(name)
    if (known !== undefined && clock() < known.until) return known
    const addresses = await ask(name)
    // Another call may have been faster; what it was given counts as well.
    const before = pins.get(name)
    const isIn = ({ address }: LookupAddress) => isInside(address)
    if (before !== undefined && !before.addresses.some(isIn) && addresses.some(isIn)) {
      throw new X402Error('private_address', { name, was: 'outside' })
    }
    const inside = before?.addresses.filter(isIn) ?? []
    const pin: Pin = { addresses: [...inside, ...addresses], next: addresses, until: clock() + keepMs }
    pins.delete(name)
    pins.set(name, pin)
    for (const oldest of pins.keys()) if (pins.size > maxNames) pins.delete(oldest)
    return pin
  }

  const connect = (name: string) => {
    connected.delete(name)
    connected.add(name)
    for (const oldest of connected) if (connected.size > maxNames) connected.delete(oldest)
  }

  return {
    resolve: async (name) => (await find(name)).addresses.map(({ address }) => address),

    isConnected(name) {
      const known = connected.has(name)
      // What is asked for is not the first to be forgotten: its connection may stay open.
      if (known) connect(name)
      return known
    },

    lookup(name, { all, family }, tell) {
      const wanted = family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : (family ?? 0)
      find(name).then(
        ({ next }) => {
          const fitting = wanted === 0 ? next : next.filter((each) => each.family === wanted)
          const [first] = fitting
          if (first !== undefined) connect(name)
          if (first === undefined) tell(Object.assign(new Error(`${name} leads nowhere`), { code: 'ENOTFOUND' }), [])
          else if (all) tell(null, [...fitting])
          else tell(null, first.address, first.family)
        },
        (error: NodeJS.ErrnoException) => tell(error, []),
      )
    },
  }
}

type Pin = {
  /** All that count: those of now, and those inside of before. */
  readonly addresses: readonly LookupAddress[]
  /** What the next socket is given. */
  readonly next: readonly LookupAddress[]
  /** Milliseconds since 1970. */
  readonly until: number
}

function askSystem(name: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(name, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })
}
