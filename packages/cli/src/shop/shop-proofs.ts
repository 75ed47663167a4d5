import type { Facilitator } from '@groat/core'
import { withTransferProofs } from '@groat/evm/transfer-proof/server'
import type { ShopConfig } from '../config/shop-config.js'

/** With what looks transfers up, where the shop takes them. */
export function proving(facilitator: Facilitator, { proofs }: ShopConfig): Facilitator {
  if (proofs === undefined) return facilitator
  const { rpc: chains, finality } = proofs
  return withTransferProofs(facilitator, { chains, ...(finality === undefined ? {} : { finality }) })
}
