import type { CallGroups } from '@groat/core'
import type { EvmCall } from './chain.js'
import { encodeAggregate, MULTICALL3 } from './multicall.js'
import type { EvmRpc } from './rpc.js'

/** Gas for one payment in a group: a transfer of a token behind a proxy, to an account that never had any, and some more. */
const MEMBER_GAS = 120_000n

/** Gas for what is around them. */
const BASE_GAS = 60_000n

/** Chains may refuse a transaction of more than 2^24 gas. */
const DEFAULT_GROUP_GAS = 15_000_000n

/** Beyond this nothing more is to be saved. */
const MOST_PAYMENTS = 100

/**
 * How payments travel together: through Multicall3, each allowed to fail. It caps the gas of none of them, so only payers without code join:
 * a payer's contract could burn what the others need.
 *
 * @example
 * const groups = createGroups(rpc)
 * groups.join([first, second]).payments // 2
 */
export function createGroups(rpc: Pick<EvmRpc, 'code'>, groupGas = DEFAULT_GROUP_GAS): CallGroups<EvmCall> {
  const most = Math.min(MOST_PAYMENTS, Number((groupGas - BASE_GAS) / MEMBER_GAS))
  let deployed: Promise<boolean> | undefined

  function isDeployed(): Promise<boolean> {
    deployed ??= rpc.code(MULTICALL3).then((code) => {
      // It may come yet.
      if (code === '0x') deployed = undefined
      return code !== '0x'
    })
    deployed.catch(() => {
      deployed = undefined
    })
    return deployed
  }

  return {
    joins: ({ payer }) => payer !== undefined && most > 1,
    company(calls) {
      const places: number[] = []
      for (const [at, call] of calls.entries()) {
        if (places.length > 0 && places.length >= most) break
        if (places.every((place) => canTellApart(calls[place], call))) places.push(at)
      }
      return places
    },
    async admits({ payer }) {
      if (payer === undefined) return false
      const [code, ready] = await Promise.all([rpc.code(payer), isDeployed()])
      return ready && code === '0x'
    },
    join: (calls) => ({
      to: MULTICALL3,
      data: encodeAggregate(calls),
      gas: BASE_GAS + MEMBER_GAS * BigInt(calls.length),
      payments: calls.length,
    }),
  }
}

/** Whether the token's logs will say which of both was made: equal transfers look alike, where nothing else marks them. */
function canTellApart(one: EvmCall | undefined, other: EvmCall): boolean {
  return one?.payer !== other.payer || !(one?.unmarked || other.unmarked)
}
