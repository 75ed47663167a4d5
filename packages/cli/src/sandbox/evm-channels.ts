import type { Network } from '@groat/core'
import { batchEvm as pays, privateKeyAccount } from '@groat/evm/batch-settlement/client'
import { batchEvm as settles } from '@groat/evm/batch-settlement/facilitator'
import { createChannelLedger } from '@groat/evm/batch-settlement/ledger'
import { createClaimManager } from '@groat/evm/batch-settlement/manager'
import { batchEvm as sells } from '@groat/evm/batch-settlement/server'
import { createEvmChain, type EvmChain } from '@groat/evm/chain'
import { createFacilitatorClient } from '@groat/server'
import { openMemoryStore } from '@groat/store'
import type { LocalNetwork } from './local-network.js'

/** Milliseconds between two claims: people watch. */
const CLAIM_EVERY = 2_000

/** Channels on the EVM chain of a sandbox. A key of the seller's own is the authorizer; its claims are paid for by the account that is paid. */
export function evmChannels(options: {
  readonly settling: EvmChain
  readonly network: Network
  readonly rpc: string
  readonly payerKey: string
  readonly sellerKey: string
  readonly authorizerKey: string
}): NonNullable<LocalNetwork['channels']> {
  const { settling, network, rpc, payerKey, sellerKey, authorizerKey } = options
  const authorizer = privateKeyAccount(authorizerKey)
  return {
    sells: sells({ receiverAuthorizer: authorizer.address }),
    settles: settles({ chains: [settling] }),
    pays: pays({ account: privateKeyAccount(payerKey) }),
    async open(facilitatorUrl) {
      // In memory, like everything of a sandbox.
      const store = await openMemoryStore()
      const ledger = await createChannelLedger(store, {
        facilitator: createFacilitatorClient(facilitatorUrl),
        authorizer,
      })
      const chain = await createEvmChain({ network, rpc, signers: [sellerKey] })
      const manager = createClaimManager({ chain, ledger, authorizer })
      let claiming: Promise<unknown> = Promise.resolve()
      const timer = setInterval(() => {
        // What fails is tried again, two seconds later.
        claiming = manager
          .watch()
          .then(() => manager.run())
          .catch(() => undefined)
      }, CLAIM_EVERY).unref()
      return {
        facilitator: ledger.facilitator,
        async stop() {
          clearInterval(timer)
          await claiming
          await store.close()
        },
      }
    },
  }
}
