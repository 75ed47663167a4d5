import { network, paymentId, requirementsId } from '@groat/core'
import type { SettlementRecord } from '../src/journal/record.js'

const NETWORK = network('base-sepolia')
const terms = { scheme: 'exact', network: NETWORK, amount: 7n, asset: '0x01', payTo: '0x02', extra: {} }
const requirements = { ...terms, maxTimeoutSeconds: 60 }

/** A request, for what looks at no more of it than that it is one. */
export const request = {
  payment: { x402Version: 2, scheme: 'exact', network: NETWORK, payload: {} },
  requirements,
} as const

/** Its payment, claimed by the replica `r`, until 2,000 seconds. */
export const claimed: SettlementRecord = {
  ...{ pid: paymentId([NETWORK, 'n']), rid: requirementsId(requirements), network: NETWORK, scheme: 'exact' },
  ...{ payer: '0x03', payTo: '0x02', asset: '0x01', amount: 7n, expiresAt: 2000, place: 0 },
  ...{ state: 'claimed', owner: 'r', requestText: '{}', attempts: [] },
}
