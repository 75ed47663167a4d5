import { type Facilitator, network, type SchemeServer } from '@groat/core'
import { createTransferProof, withTransferProofs as onEvm } from '@groat/evm/transfer-proof/server'
import { contractWallets } from '@groat/evm/wallets'
import { withTransferProofs as onSvm, transferProof as sellsOnSvm } from '@groat/svm/transfer-proof/server'
import type { ShopConfig } from '../config/shop-config.js'

/** With what looks transfers up, where the shop takes them. */
export function proving(facilitator: Facilitator, { proofs }: ShopConfig): Facilitator {
  if (proofs === undefined) return facilitator
  const { evm, svm, finality } = proofs
  const commitment = finality === undefined || finality === 'finalized' ? 'finalized' : 'confirmed'
  const onBoth = onSvm(facilitator, { chains: svm, commitment })
  return onEvm(onBoth, { chains: evm, ...(finality === undefined ? {} : { finality }) })
}

/** What sells for transfers, where the shop takes them. */
export function sellsProofs({ proofs }: ShopConfig): readonly SchemeServer[] {
  if (proofs === undefined) return []
  const nodes = Object.entries(proofs.evm).map(([name, url]) => [network(name), url] as const)
  return [createTransferProof({ wallets: contractWallets(Object.fromEntries(nodes)) }), sellsOnSvm]
}
