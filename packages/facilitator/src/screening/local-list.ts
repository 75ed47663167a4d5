import { readFile } from 'node:fs/promises'
import { type Clock, canonicalAddress, sha256Hex, systemClock, X402Error } from '@groat/core'
import { isAddress } from './address.js'
import type { ScreeningProvider } from './screening.js'

/** Where the list is, and how old it may be. */
export type LocalListOptions = {
  /** A text file: one EVM or Solana address a line and nothing beside it; `#` begins a comment. The line `# date: 2026-11-20` says of when it is. */
  readonly file: string
  /** Hours after which a list that names its date is too old to decide by; 48 unless told. */
  readonly maxAgeHours?: number
  readonly clock?: Clock
}

/** Milliseconds between two looks at the file. */
const FRESH_MS = 30_000

/**
 * Screens against a file of addresses, which is read anew as it changes. Without a date or with one to come, without the file, past its age, or with a line
 * that is no address it decides nothing, so nothing is settled (`screening_unavailable`, FAC-104).
 *
 * @example
 * const screening = createLocalList({ file: 'sanctioned.txt' })
 */
export function createLocalList({ file, maxAgeHours = 48, clock = systemClock }: LocalListOptions): ScreeningProvider {
  let known: { readonly at: number; readonly list: Promise<AddressList> } | undefined

  async function current(): Promise<AddressList> {
    if (known === undefined || clock() - known.at >= FRESH_MS) {
      const mine = { at: clock(), list: readList(file) }
      known = mine
      mine.list.catch(() => {
        if (known === mine) known = undefined
      })
    }
    const list = await known.list
    const fault = faultOf(clock() - list.date, maxAgeHours)
    if (fault === undefined) return list
    const reason = `the list is dated ${dayOf(list.date)}, ${fault}`
    throw new X402Error('screening_unavailable', { reason, version: list.version })
  }

  return {
    name: 'list',
    async screen({ payer, payTo }) {
      const { addresses, version } = await current()
      const hit = [payer, payTo].find((address) => addresses.has(canonicalAddress(address)))
      return hit === undefined
        ? { allowed: true, version }
        : { allowed: false, version, reason: `${hit === payer ? 'payer' : 'payTo'} is on the list` }
    },
    async ready() {
      await current()
    },
  }
}

// Told to whoever asks for readiness: nothing of the machine stands in them.
const UNREADABLE = 'the list cannot be read; look at its path and its permissions'
const UNDATED = 'the list names no date; give it a line such as "# date: 2026-11-20"'

function faultOf(age: number, maxAgeHours: number): string | undefined {
  if (age > maxAgeHours * HOUR_MS)
    return `more than ${maxAgeHours} ${maxAgeHours === 1 ? 'hour' : 'hours'} ago; put a newer one in its place`
  // A mistyped year would make it good for that long. Where days begin earlier than here it may be tomorrow already.
  if (age < -24 * HOUR_MS) return 'which is to come; mend its date'
  return undefined
}

const HOUR_MS = 3_600_000

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10)

type AddressList = { readonly addresses: ReadonlySet<string>; readonly date: number; readonly version: string }

async function readList(file: string): Promise<AddressList> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new X402Error('screening_unavailable', { reason: UNREADABLE }, { cause })
  })
  const date = Date.parse(/^# *date: *(\S+) *$/m.exec(text)?.[1] ?? '')
  if (Number.isNaN(date)) throw new X402Error('screening_unavailable', { reason: UNDATED })
  return {
    addresses: addressesOf(text),
    date,
    version: `${dayOf(date)} ${sha256Hex(text).slice(0, 16)}`,
  }
}

/** A line that cannot be read may name whoever pays, so it is no entry that matches nobody. */
function addressesOf(text: string): ReadonlySet<string> {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim())
  const at = lines.findIndex((line) => line !== '' && !isAddress(line))
  if (at >= 0) {
    const reason = `line ${at + 1} of the list is no address; write one address a line, # begins a comment`
    throw new X402Error('screening_unavailable', { reason })
  }
  return new Set(lines.filter((line) => line !== '').map(canonicalAddress))
}
