import { formatUnits, network as networkOf } from '@groat/core'
import { startSvmChain } from '@groat/sandbox'
import { createSvmChain } from '@groat/svm/chain'
import { exactSvm as pays, secretKeyAccount } from '@groat/svm/exact/client'
import { exactSvm as settles } from '@groat/svm/exact/facilitator'
import { exactSvm as sells } from '@groat/svm/exact/server'
import type { LocalNetwork } from './local-network.js'
import { svmProofs } from './svm-proofs.js'

/** Starts the Solana chain of a sandbox: JSON-RPC on the port, WebSocket on the next. Port 0 takes free ones. */
export async function startSvmNetwork(port: number): Promise<LocalNetwork> {
  const chain = await startSvmChain({ port })
  const { rpcUrl, wsUrl, usdc } = chain
  const network = networkOf(chain.network)
  const signers = [chain.account('facilitator').secretKey]
  const account = secretKeyAccount(chain.account('payer').secretKey)
  return {
    network,
    rpcUrl,
    ready: { svm: { rpcUrl, wsUrl, network, usdc } },
    payTo: chain.account('seller').address,
    sells,
    settles: settles({ chains: [createSvmChain({ network, rpc: rpcUrl, signers })] }),
    pays: pays({ account, rpc: rpcUrl }),
    proofs: svmProofs({ network, rpcUrl, account }),
    accounts: chain.accounts.map(({ role, address, secretKey }) => ({
      role,
      address,
      keys: { svm: { address, secretKey } },
      async balances() {
        const [money, lamports] = await Promise.all([chain.balance(address), chain.lamports(address)])
        return { usdc: formatUnits(money, 6), coin: `${formatUnits(lamports, 9).slice(0, 10)} SOL` }
      },
    })),
    stop: () => chain.stop(),
  }
}
