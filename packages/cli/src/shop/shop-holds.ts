import type { Facilitator, SchemeServer } from '@groat/core'
import { type Captures, createCaptures } from '@groat/evm/auth-capture/captures'
import { privateKeyAccount } from '@groat/evm/auth-capture/client'
import { authCaptureEvm } from '@groat/evm/auth-capture/server'
import type { Ledger } from '@groat/server/ledger'
import type { HoldsConfig } from '../config/shop-config.js'

/** Opens what a shop holds in escrow beside its books, by the key whose word captures, voids and refunds need. Throws what `createCaptures` throws. */
export function openHolds(ledger: Ledger, facilitator: Facilitator, { key }: HoldsConfig): Promise<Captures> {
  const { store, moved } = ledger
  return createCaptures(store, { facilitator, authorizer: privateKeyAccount(key), moved })
}

/** Sells for payments whose money is held. Throws `X402Error` `invalid_config` for times that are none. */
export function sellsHolds({ key, ...times }: HoldsConfig): SchemeServer {
  return authCaptureEvm({ receiverAuthorizer: privateKeyAccount(key).address, ...times })
}
