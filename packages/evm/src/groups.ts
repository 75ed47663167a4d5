import type { CallGroups } from '@groat/core'
import type { Address } from './address.js'
import type { EvmCall } from './chain.js'
import { encodeAggregate, MULTICALL3 } from './multicall.js'
import type { EvmRpc } from './rpc.js'
import { encodeBatch } from './self-batch/delegate.js'
import type { SignerCode } from './self-batch/standing.js'

/** Chains may refuse a transaction of more than 2^24 gas. */
const DEFAULT_GROUP_GAS = 15_000_000n

/** Beyond this nothing more is to be saved. */
const MOST_PAYMENTS = 100

/** What groups are made of. */
export type GroupOptions = {
  readonly rpc: Pick<EvmRpc, 'code'>
  /** Gas that a group may use at the most; 15,000,000 unless told. */
  readonly groupGas?: bigint | undefined
  /** The accounts that send, and what is known of the code that they run. */
  readonly signers: readonly Address[]
  readonly signerCode: SignerCode
}

/** One way in which calls get into one transaction, where one that fails takes no other with it. */
type Way = {
  /** Gas for what is around the calls. */
  readonly baseGas: bigint
  /** Gas of the transaction that is set aside for a call. */
  gasOf(call: EvmCall): bigint
  /** Whether it may be there; false only where it is known not to be. */
  mayStand(): boolean
  /** Asks the chain for it. */
  stands(): Promise<boolean>
  readonly to: Address
  encode(calls: readonly EvmCall[]): EvmCall['data']
}

/**
 * How payments travel together, each allowed to fail: through Multicall3 where it does not matter who sends them, and in a transaction of
 * the signer to itself where it does and the signer runs the code for it (FAC-110). Only payers without code join: a payer's contract could burn
 * what the others need, or look at who else is there.
 *
 * @example
 * const groups = createGroups({ rpc, signers, signerCode })
 * groups.join([first, second]).payments // 2
 */
export function createGroups(options: GroupOptions): CallGroups<EvmCall> {
  const { rpc, groupGas = DEFAULT_GROUP_GAS, signers, signerCode } = options
  const byAnybody = throughMulticall(rpc)
  const bySigner = new Map(signers.map((signer) => [signer, toItself(signer, signerCode)]))
  const fits = (way: Way, call: EvmCall) => way.baseGas + 2n * way.gasOf(call) <= groupGas
  const wayOf = ({ sender }: EvmCall): Way | undefined => (sender === undefined ? byAnybody : bySigner.get(sender))

  return {
    joins(call) {
      const way = wayOf(call)
      return call.payer !== undefined && way !== undefined && fits(way, call) && way.mayStand()
    },
    company(calls) {
      const places: number[] = []
      const [first] = calls
      const way = first && wayOf(first)
      let left = groupGas - (way?.baseGas ?? 0n)
      for (const [at, call] of calls.entries()) {
        if (wayOf(call) !== way) continue
        const gas = way?.gasOf(call) ?? 0n
        if (places.length > 0 && (places.length >= MOST_PAYMENTS || gas > left)) break
        if (!places.every((place) => canTellApart(calls[place], call))) continue
        places.push(at)
        left -= gas
      }
      return places
    },
    async admits(call) {
      const way = wayOf(call)
      if (call.payer === undefined || way === undefined) return false
      const [code, stands] = await Promise.all([rpc.code(call.payer), way.stands()])
      return stands && code === '0x'
    },
    join(calls) {
      const [first] = calls
      const way = first && wayOf(first)
      if (way === undefined) throw new TypeError('these calls do not travel together')
      const gas = calls.reduce((sum, call) => sum + way.gasOf(call), way.baseGas)
      return { to: way.to, data: way.encode(calls), gas, payments: calls.length }
    },
  }
}

/** Gas for one payment through Multicall3: a transfer of a token behind a proxy, to an account that never had any, and some more. */
const MEMBER_GAS = 120_000n

/** Multicall3 makes the calls, and caps the gas of none of them. */
function throughMulticall(rpc: Pick<EvmRpc, 'code'>): Way {
  let deployed: Promise<boolean> | undefined
  return {
    baseGas: 60_000n,
    gasOf: () => MEMBER_GAS,
    mayStand: () => true,
    stands() {
      deployed ??= rpc.code(MULTICALL3).then((code) => {
        // It may come yet.
        if (code === '0x') deployed = undefined
        return code !== '0x'
      })
      deployed.catch(() => {
        deployed = undefined
      })
      return deployed
    },
    to: MULTICALL3,
    encode: encodeAggregate,
  }
}

/** Gas for what is around one call of a batch, besides its bytes. */
const CALL_GAS = 8_000n

/** The signer makes the calls, each with the gas that it would have alone. */
function toItself(signer: Address, signerCode: SignerCode): Way {
  return {
    baseGas: 30_000n,
    // A call is given 63 of 64 parts of what is there at the most, and a byte costs 16 at the most.
    gasOf: (call) => (innerGas(call) * 64n) / 63n + CALL_GAS + 16n * bytesOf(call),
    mayStand: () => signerCode.mayBatch(signer),
    stands: () => signerCode.batches(signer),
    to: signer,
    encode: (calls) => encodeBatch(calls.map((call) => ({ ...call, gas: innerGas(call) }))),
  }
}

/** What is left for a call that is a transaction by itself: that costs 21,000, and 4 a byte at least. */
const innerGas = (call: EvmCall): bigint => call.gas - 21_000n - 4n * bytesOf(call)

const bytesOf = ({ data }: EvmCall): bigint => BigInt(data.length / 2 - 1)

/** Whether the token's logs will say which of both was made: equal transfers look alike, where nothing else marks them. */
function canTellApart(one: EvmCall | undefined, other: EvmCall): boolean {
  return one?.payer !== other.payer || !(one?.unmarked || other.unmarked)
}
