import {
  type Clock,
  type Fetch,
  isJsonObject,
  type Network,
  network as networkOf,
  type PaymentRequirements,
} from '@groat/core'
import { parseAddress } from './wire/address.js'

/** Where a payer asks for a recent blockhash: a node's URL, one for each network (CAIP-2 or the name of version 1), or a function. */
export type BlockhashSource = string | Readonly<Record<string, string>> | ((network: Network) => Promise<string>)

/** Milliseconds for which a blockhash is used again; it can be built on for a minute. */
const FRESH_MS = 2_000

const TIMEOUT_MS = 3_000

/**
 * Asks for recent blockhashes, at most once in two seconds for each network; `undefined` when there is nobody to ask or no good answer.
 * Throws `X402Error` `invalid_network` for a name in `source` that is none.
 *
 * @example
 * const blockhash = createBlockhashes('https://api.mainnet-beta.solana.com')
 * await blockhash(network('solana'), Date.now)
 */
export function createBlockhashes(
  source: BlockhashSource | undefined,
  fetch: Fetch = (...request) => globalThis.fetch(...request),
): (network: Network, clock: Clock) => Promise<string | undefined> {
  const ask = askerOf(source, fetch)
  const known = new Map<Network, { readonly until: number; readonly answer: Promise<string | undefined> }>()
  return (network, clock) => {
    const last = known.get(network)
    if (last !== undefined && clock() < last.until) return last.answer
    const answer = ask(network).then(
      (text) => (text !== undefined && parseAddress(text) !== undefined ? text : undefined),
      () => undefined,
    )
    const mine = { until: clock() + FRESH_MS, answer }
    known.set(network, mine)
    return answer.then((text) => {
      if (text === undefined && known.get(network) === mine) known.delete(network)
      return text
    })
  }
}

/**
 * The blockhash that an offer brings: a stale one makes the payment worthless and harms nobody.
 *
 * @example
 * hintedBlockhash(offer)
 */
export function hintedBlockhash({ extra }: PaymentRequirements): string | undefined {
  const { recentBlockhash } = extra
  return typeof recentBlockhash === 'string' && parseAddress(recentBlockhash) ? recentBlockhash : undefined
}

function askerOf(source: BlockhashSource | undefined, fetch: Fetch): (network: Network) => Promise<string | undefined> {
  if (typeof source === 'function') return source
  if (source === undefined) return async () => undefined
  if (typeof source === 'string') return () => askNode(fetch, source)
  const urls = new Map(Object.entries(source).map(([name, url]) => [networkOf(name), url]))
  return async (network) => {
    const url = urls.get(network)
    return url === undefined ? undefined : askNode(fetch, url)
  }
}

async function askNode(fetch: Fetch, url: string): Promise<string | undefined> {
  const question = { jsonrpc: '2.0', id: 1, method: 'getLatestBlockhash', params: [{ commitment: 'confirmed' }] }
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const answer: unknown = await response.json()
  const result = isJsonObject(answer) ? answer.result : undefined
  const value = isJsonObject(result) ? result.value : undefined
  const blockhash = isJsonObject(value) ? value.blockhash : undefined
  return typeof blockhash === 'string' ? blockhash : undefined
}
