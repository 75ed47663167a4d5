import { X402Error } from '@groat/core'
import { type Captures, createCaptures } from '@groat/evm/auth-capture/captures'
import { authCaptureEvm as pays, privateKeyAccount } from '@groat/evm/auth-capture/client'
import { authCaptureEvm as settles } from '@groat/evm/auth-capture/facilitator'
import { authCaptureEvm as sells } from '@groat/evm/auth-capture/server'
import type { EvmChain } from '@groat/evm/chain'
import { createFacilitatorClient } from '@groat/server'
import { openMemoryStore } from '@groat/store'
import type { LocalNetwork } from './local-network.js'

/** Milliseconds after which what was ordered ships: people watch. */
const SHIPS_EVERY = 2_000

/** Holds that are looked at in one go. */
const AT_ONCE = 50

/** Money in escrow on the EVM chain of a sandbox. The seller's own key is the word that captures need. */
export function evmHolds({
  settling,
  payerKey,
  sellerKey,
}: {
  readonly settling: EvmChain
  readonly payerKey: string
  readonly sellerKey: string
}): NonNullable<LocalNetwork['holds']> {
  const authorizer = privateKeyAccount(sellerKey)
  return {
    sells: sells({ receiverAuthorizer: authorizer.address }),
    settles: settles({ chains: [settling] }),
    pays: pays({ account: privateKeyAccount(payerKey) }),
    async open(facilitatorUrl) {
      // In memory, like everything of a sandbox.
      const store = await openMemoryStore()
      const captures = await createCaptures(store, { facilitator: createFacilitatorClient(facilitatorUrl), authorizer })
      let shipping: Promise<unknown> = Promise.resolve()
      const timer = setInterval(() => {
        shipping = shipping.then(() => ship(captures))
      }, SHIPS_EVERY).unref()
      return {
        facilitator: captures.facilitator,
        async stop() {
          clearInterval(timer)
          await shipping
          await store.close()
        },
      }
    },
  }
}

/** Of every order three fifths ship: they are paid out, and the rest goes back. */
async function ship(captures: Captures): Promise<void> {
  try {
    for (const { pid, state, amount, capturable } of await captures.open(AT_ONCE)) {
      // Asked again where it is not known yet.
      const held = state === 'asked' ? await captures.hold(pid) : { capturable }
      if (held?.capturable === amount) await captures.capture(pid, (amount * 3n) / 5n)
      else if (held !== undefined && held.capturable > 0n) await captures.void(pid)
    }
  } catch (error) {
    // What fails is tried again, two seconds later.
    if (!X402Error.is(error)) throw error
  }
}
