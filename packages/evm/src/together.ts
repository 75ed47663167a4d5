import { X402Error } from '@groat/core'
import { createQueue } from '@groat/rpc'
import type { Address } from './address.js'
import { decodeAggregate, encodeAggregate, MULTICALL3, type PartCall } from './multicall.js'
import type { CallOutcome, EvmRpc } from './rpc.js'

/** What one payment would do, to be tried. */
export type Trial = {
  /** In this order, each on the state that the one before it left. */
  readonly calls: readonly PartCall[]
  readonly payer: Address
  readonly payTo: Address
  /** The block at which it is tried, by its height; the newest unless told. */
  readonly block?: bigint | undefined
}

/**
 * Tries payments of concurrent callers in one call of the chain. What succeeds there succeeds alone too; what fails may have failed for the
 * company, so it has to be tried alone before that is said of it. Throws where the node does not have the block.
 */
export type TryTogether = (trial: Trial) => Promise<readonly CallOutcome[]>

/** Payments in one call. */
const MAX_TRIALS = 50

/**
 * Makes the batcher of a connection. A payment never leaves in company that pays its payer, for it may live on that money.
 *
 * @example
 * const tryTogether = createTogether(rpc)
 * const [state, transfer] = await tryTogether({ calls: [readState, transferCall], payer, payTo })
 */
export function createTogether(rpc: EvmRpc): TryTogether {
  const enqueue = createQueue<Waiting>({ maxBatch: MAX_TRIALS, maxConcurrency: 2 }, async (batch) => {
    await Promise.all(companies(batch).map((company) => run(rpc, company)))
  })
  return (trial) =>
    new Promise((resolve, reject) => {
      if (!enqueue({ resolve, reject, ...trial })) reject(new X402Error('rpc_unreachable', { waiting: 'trials' }))
    })
}

type Waiting = Trial & {
  resolve(outcomes: readonly CallOutcome[]): void
  reject(reason: unknown): void
}

type Company = {
  readonly block: bigint | undefined
  readonly members: Waiting[]
  readonly payers: Set<Address>
  readonly paid: Set<Address>
}

function companies(batch: readonly Waiting[]): readonly (readonly Waiting[])[] {
  const made: Company[] = []
  for (const each of batch) {
    const { block } = each
    let company = made.find(
      ({ payers, paid, ...other }) => other.block === block && !paid.has(each.payer) && !payers.has(each.payTo),
    )
    if (company === undefined) {
      company = { block, members: [], payers: new Set(), paid: new Set() }
      made.push(company)
    }
    company.members.push(each)
    company.payers.add(each.payer)
    company.paid.add(each.payTo)
  }
  return made.map(({ members }) => members)
}

/** Never rejects: what goes wrong is told to the members. */
async function run(rpc: EvmRpc, members: readonly Waiting[]): Promise<void> {
  try {
    const calls = members.flatMap((each) => each.calls)
    const reply = await rpc.call({ to: MULTICALL3, data: encodeAggregate(calls) }, members[0]?.block)
    const outcomes = reply.ok ? decodeAggregate(reply.data, calls.length) : undefined
    let at = 0
    for (const { calls: mine, resolve } of members) {
      // One member may have burnt the gas of all: then nothing is known of anybody.
      resolve(outcomes?.slice(at, at + mine.length) ?? mine.map(() => ({ ok: false, data: '0x' })))
      at += mine.length
    }
  } catch (error) {
    for (const { reject } of members) reject(error)
  }
}
