import { type ExtensionServer, network, networkFamily } from '@groat/core'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { contractWallets } from '@groat/evm/wallets'
import { builderCodes } from '@groat/extensions/builder-code/server'
import { complianceFields } from '@groat/extensions/compliance/server'
import { type ArtifactIssuer, jwsIssuer, signedOffers, typedDataIssuer } from '@groat/extensions/offer-receipt/server'
import { memoryIdentifiers, paymentIdentifiers } from '@groat/extensions/payment-identifier/server'
import { sqlIdentifiers } from '@groat/extensions/payment-identifier/sql'
import { boundRequests } from '@groat/extensions/request-binding/server'
import { memorySignIns, signIns } from '@groat/extensions/sign-in-with-x/server'
import { sqlSignIns } from '@groat/extensions/sign-in-with-x/sql'
import type { AnyStore } from '@groat/store'
import type { ReceiptsConfig, ShopConfig } from '../config/shop-config.js'

/** The extensions that a shop's file may declare, over the shop's own database; without one, for a file that is only looked at. */
export async function openExtensions(
  store: AnyStore | undefined,
  { receipts, books, seller }: Pick<ShopConfig, 'receipts' | 'books' | 'seller'>,
): Promise<readonly ExtensionServer[]> {
  const nodes = Object.entries(books.rpc)
    .map(([name, url]) => [network(name), url] as const)
    .filter(([id]) => networkFamily(id) === 'eip155')
  return [
    paymentIdentifiers({ store: store === undefined ? memoryIdentifiers() : await sqlIdentifiers(store) }),
    signIns({
      store: store === undefined ? memorySignIns() : await sqlSignIns(store),
      ...(nodes.length > 0 && { wallets: contractWallets(Object.fromEntries(nodes)) }),
    }),
    builderCodes(),
    boundRequests(),
    ...(seller === undefined ? [] : [complianceFields({ seller })]),
    ...(receipts === undefined ? [] : [signedOffers({ issuer: await issuerOf(receipts) })]),
  ]
}

async function issuerOf(receipts: ReceiptsConfig): Promise<ArtifactIssuer> {
  return 'jws' in receipts ? jwsIssuer(receipts.jws) : typedDataIssuer(privateKeyAccount(receipts.evmKey))
}
