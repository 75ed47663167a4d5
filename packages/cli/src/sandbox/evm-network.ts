import { type Asset, defaultAssets, formatUnits, type Network, network as networkOf } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { exactEvmWithPermit2 as pays } from '@groat/evm/exact/permit2/client'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { uptoEvm as paysUpTo } from '@groat/evm/upto/client'
import { uptoEvm as settlesUpTo } from '@groat/evm/upto/facilitator'
import { uptoEvm as sellsUpTo } from '@groat/evm/upto/server'
import { deployPermitToken, type EvmChain, startEvmChain } from '@groat/sandbox'
import { evmChannels } from './evm-channels.js'
import { deployDelegations } from './evm-delegations.js'
import { evmHolds } from './evm-holds.js'
import { evmProofs } from './evm-proofs.js'
import type { LocalNetwork } from './local-network.js'

/** Starts the EVM chain of a sandbox. Port 0 takes a free one. */
export async function startEvmNetwork(port: number): Promise<LocalNetwork> {
  const chain = await startEvmChain({ port, blockTime: 1 })
  const { chainId, rpcUrl, usdc, multicall3, permit2 } = chain
  const network = networkOf(chain.network)
  const payer = chain.account('payer')
  const account = { ...privateKeyAccount(payer.privateKey), address: payer.address }
  try {
    const [delegation] = await Promise.all([deployDelegations(chain), allowPermit2(chain, usdc, payer.address)])
    // Not beside them: a node may number two transactions of one account alike that come at once, and one of the two is lost.
    const token = await makeToken(chain, network, payer.address)
    const settling = await createEvmChain({
      ...{ network, rpc: rpcUrl, assets: [...defaultAssets(network), token] },
      signers: [chain.account('facilitator').privateKey],
    })
    return {
      network,
      rpcUrl,
      ready: { evm: { rpcUrl, chainId, network, usdc, multicall3, permit2, delegation } },
      payTo: chain.account('seller').address,
      sells,
      settles: settles({ chains: [settling], delegations: { managers: [delegation.manager] } }),
      delegates: true,
      token,
      pays: pays({ account, assets: [token] }),
      metered: {
        sells: sellsUpTo,
        settles: settlesUpTo({ chains: [settling] }),
        pays: paysUpTo({ account }),
      },
      channels: evmChannels({
        ...{ settling, network, rpc: rpcUrl },
        payerKey: payer.privateKey,
        sellerKey: chain.account('seller').privateKey,
        authorizerKey: chain.account('payer5').privateKey,
      }),
      holds: evmHolds({ settling, payerKey: payer.privateKey, sellerKey: chain.account('seller').privateKey }),
      proofs: evmProofs({ chain, network, account }),
      accounts: chain.accounts.map(({ role, address, privateKey }) => ({
        role,
        address,
        keys: { evm: { address, privateKey } },
        async balances() {
          const [money, wei] = await Promise.all([chain.balance(address), chain.nativeBalance(address)])
          return { usdc: formatUnits(money, 6), coin: `${formatUnits(wei, 18).slice(0, 10)} ETH` }
        },
      })),
      stop: () => chain.stop(),
    }
  } catch (error) {
    await chain.stop()
    throw error
  }
}

/** A token of the sandbox's own beside USDC, of which the payer has a thousand: an ordinary ERC-20, so it is paid with by Permit2. */
async function makeToken(chain: EvmChain, network: Network, payer: `0x${string}`): Promise<Asset> {
  const { address, mint } = await deployPermitToken(chain)
  await Promise.all([mint(payer, 1_000_000_000n), allowPermit2(chain, address, payer)])
  return { network, symbol: 'GROAT', address, decimals: 6, transfer: 'permit2' }
}

/** Schemes by Permit2 need the payer's word to the token once. The node signs for accounts that it knows. */
async function allowPermit2({ client, permit2 }: EvmChain, to: `0x${string}`, from: `0x${string}`): Promise<void> {
  const words = [permit2.slice(2).toLowerCase().padStart(64, '0'), 'f'.repeat(64)]
  const hash = await client.sendUnsignedTransaction({ from, to, data: `0x095ea7b3${words.join('')}` })
  await client.waitForTransactionReceipt({ hash })
}
