import { X402Error } from '@groat/core'
import { decodeInteger } from '../abi.js'
import type { Address } from '../address.js'
import type { EvmChain } from '../chain.js'
import type { CallRequest, SimulatedCall } from '../rpc.js'
import { encodeBalanceOf, findTransferOf, type Move } from './token.js'

/** A call that should move money, and which money. */
export type TriedMove = {
  readonly call: CallRequest
  readonly token: Address
  readonly move: Move
}

/** What a call did where it was only tried. */
export type TriedOutcome = {
  readonly call: SimulatedCall | undefined
  /** What each account had before, in atomic units; `undefined` where nothing answers at the token's address. */
  readonly before: readonly (bigint | undefined)[]
  /** By how much each account's balance changed. */
  readonly changes: readonly bigint[]
}

/** Tokens that were seen to move what they were told to. */
export interface TokenTrials {
  /** Whether the token has shown itself already: then there is nothing to try. */
  isKnown(chain: EvmChain, token: string): boolean
  /**
   * Whether the token does what it is told: known of one that was seen to, and otherwise found out by running the call. A call that fails, or a node that cannot
   * run it (`eth_simulateV1`), says nothing against the token. Throws `X402Error` `rpc_unreachable` and the like.
   */
  passes(chain: EvmChain, tried: TriedMove): Promise<boolean>
  /** It did something else on chain: it has to show itself again. */
  doubt(chain: EvmChain, token: Address): void
}

/**
 * Lets each token show once what it does with money before anything is paid for it (EVM-EXACT-077, EVM-UPTO-057): a call that succeeds, and even a log, says
 * nothing of what a token really moves. From then on its payments cost no more questions than before.
 *
 * @example
 * const trials = createTokenTrials()
 * await trials.passes(chain, { call, token, move: { from, to, value: 1000n } })
 */
export function createTokenTrials(): TokenTrials {
  const seen = new Set<string>()
  const keyOf = ({ network }: EvmChain, token: string) => `${network} ${token.toLowerCase()}`
  return {
    isKnown: (chain, token) => seen.has(keyOf(chain, token)),
    async passes(chain, { call, token, move }) {
      if (seen.has(keyOf(chain, token))) return true
      const tried = await tryCall(chain, call, token, [move.from, move.to]).catch(unlessUnable)
      if (tried === undefined) {
        seen.add(keyOf(chain, token))
        return true
      }
      if (tried.call?.ok !== true) return true
      const expected = move.from === move.to ? [0n, 0n] : [-move.value, move.value]
      const isExact =
        tried.changes.every((change, i) => change === expected[i]) &&
        findTransferOf(tried.call.logs, token, move) !== undefined
      if (isExact) seen.add(keyOf(chain, token))
      return isExact
    },
    doubt: (chain, token) => void seen.delete(keyOf(chain, token)),
  }
}

/** Runs a call without sending it, between two looks at what these accounts have of a token. */
export async function tryCall(
  { rpc }: EvmChain,
  call: CallRequest,
  token: Address,
  accounts: readonly Address[],
): Promise<TriedOutcome> {
  const looks = accounts.map((account) => ({ to: token, data: encodeBalanceOf(account) }))
  const outcomes = await rpc.simulate([...looks, call, ...looks])
  const before = outcomes.slice(0, looks.length).map(balanceOf)
  const after = outcomes.slice(looks.length + 1).map(balanceOf)
  const changes = accounts.map((_, i) => (after[i] ?? 0n) - (before[i] ?? 0n))
  return { call: outcomes[looks.length], before, changes }
}

const balanceOf = (outcome: SimulatedCall): bigint | undefined => (outcome.ok ? decodeInteger(outcome.data) : undefined)

/** A node that does not know the method says so in words and numbers of its own; one that does not answer has none. */
function unlessUnable(error: unknown): undefined {
  const answered = X402Error.is(error) && (error.code === 'rpc_invalid_answer' || 'code' in error.context)
  if (!answered) throw error
}
