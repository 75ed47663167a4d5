import { decodeFacilitatorRequest, type FacilitatorRequest, type Network, type Pid } from '@groat/core'
import type { Address } from '../address.js'
import type { HoldRow } from './hold-table.js'
import { type CollectPayment, readCollect } from './shared.js'

/** A payment that is held, as its seller counts it. Amounts in atomic units, times in seconds since 1970. */
export type Hold = {
  readonly pid: Pid
  readonly network: Network
  readonly payer: Address
  readonly token: Address
  /** What was collected, or is about to be. */
  readonly amount: bigint
  /** `asked`: it is not known yet whether it was collected. */
  readonly state: 'asked' | 'collected'
  readonly capturable: bigint
  readonly refundable: bigint
  readonly captureDeadline: number
  readonly refundDeadline: number
}

/** What was asked of the facilitator. Throws a `TypeError` for a row that is not ours. */
export function requestOf(row: HoldRow): FacilitatorRequest {
  const request = decodeFacilitatorRequest(JSON.parse(row.request))
  if (!request.ok) throw new TypeError('a hold cannot be read')
  return request.value
}

/** The payment of a hold, read. Throws a `TypeError` for a row that is not ours. */
export function readOf(row: HoldRow): CollectPayment {
  const { payment, requirements } = requestOf(row)
  const read = readCollect(payment, requirements)
  if (!read.ok) throw new TypeError('a hold cannot be read')
  return read
}

/** A hold as its seller counts it. */
export function holdOf(row: HoldRow): Hold {
  const { info } = readOf(row)
  return {
    // What we wrote ourselves.
    pid: row.pid as Pid,
    network: row.network as Network,
    payer: info.payer,
    token: info.token,
    amount: info.maxAmount,
    state: row.state,
    capturable: BigInt(row.capturable),
    refundable: BigInt(row.refundable),
    captureDeadline: Number(info.authorizationExpiry),
    refundDeadline: Number(info.refundExpiry),
  }
}
