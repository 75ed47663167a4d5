import type { CallGroups } from '@groat/core'
import { encodeCall } from './abi.js'
import { type Address, parseAddress } from './address.js'
import type { EvmCall } from './chain.js'
import type { Hex } from './hex.js'
import type { EvmRpc } from './rpc.js'

/** Where Multicall3 is, on every chain that has it. */
const MULTICALL3 = '0xca11bde05977b3631167028862be2a173976ca11'

/** `aggregate3((address target, bool allowFailure, bytes callData)[])` */
const AGGREGATE3: Hex = '0x82ad56cb'

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
  // A node hands out no other address than the one it was asked about.
  const multicall = parseAddress(MULTICALL3) as Address
  let deployed: Promise<boolean> | undefined

  function isDeployed(): Promise<boolean> {
    deployed ??= rpc.code(multicall).then((code) => {
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
    fit: (calls) => Math.max(1, Math.min(most, calls.length)),
    async admits({ payer }) {
      if (payer === undefined) return false
      const [code, ready] = await Promise.all([rpc.code(payer), isDeployed()])
      return ready && code === '0x'
    },
    join: (calls) => ({
      to: multicall,
      data: encodeAggregate(calls),
      gas: BASE_GAS + MEMBER_GAS * BigInt(calls.length),
      payments: calls.length,
    }),
  }
}

function encodeAggregate(calls: readonly EvmCall[]): Hex {
  const members = calls.map(({ to, data }) => {
    const bytes = data.slice(2)
    const padded = bytes.padEnd(64 * Math.ceil(bytes.length / 64), '0')
    return encodeCall('0x', to, 1n, 96n, BigInt(bytes.length / 2)).slice(2) + padded
  })
  let at = 32 * calls.length
  const offsets = members.map((member) => {
    const offset = BigInt(at)
    at += member.length / 2
    return offset
  })
  return `${encodeCall(AGGREGATE3, 32n, BigInt(calls.length), ...offsets)}${members.join('')}`
}
