import type { MadeTransfer, PaymentRequirements, SchemeClient, TransferSource } from '@groat/core'

/** The payer's half for transfers that were made, with a payer that makes each of them when it is asked for and none is left over. */
export function madeOnDemand(
  pays: (transfers: TransferSource) => SchemeClient,
  make: (offer: PaymentRequirements) => Promise<MadeTransfer>,
): SchemeClient {
  const made: MadeTransfer[] = []
  const proving = pays(() => made)
  return {
    ...proving,
    async prepare(offer, context) {
      const prepared = await proving.prepare(offer, context)
      if (prepared.ok || prepared.code !== 'no_transfer_made') return prepared
      made.push(await make(offer))
      return proving.prepare(offer, context)
    },
  }
}
