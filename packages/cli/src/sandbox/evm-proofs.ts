import type { MadeTransfer, Network, PaymentRequirements } from '@groat/core'
import type { EvmAccount } from '@groat/evm/exact/client'
import { transferProof as pays } from '@groat/evm/transfer-proof/client'
import { transferProof as sells, withTransferProofs } from '@groat/evm/transfer-proof/server'
import type { EvmChain } from '@groat/sandbox'
import type { LocalNetwork } from './local-network.js'
import { madeOnDemand } from './made-on-demand.js'

/** The halves of payments by transfers, with a payer that makes each transfer when it is asked for. */
export function evmProofs(options: {
  readonly chain: EvmChain
  readonly network: Network
  readonly account: EvmAccount
}): NonNullable<LocalNetwork['proofs']> {
  const { chain, network, account } = options
  return {
    sells,
    pays: madeOnDemand(
      (transfers) => pays({ account, transfers }),
      (offer) => transfer(chain, account.address, offer),
    ),
    // This chain never takes a block back.
    withProofs: (facilitator) => withTransferProofs(facilitator, { chains: { [network]: chain.rpcUrl }, finality: 0 }),
  }
}

/** An ordinary transfer. The node signs for accounts that it knows. */
async function transfer(
  { client }: EvmChain,
  sender: string,
  { network, asset, payTo, amount }: PaymentRequirements,
): Promise<MadeTransfer> {
  const words = [payTo.slice(2).toLowerCase(), amount.toString(16)].map((word) => word.padStart(64, '0'))
  // Accounts of the chain, and offers that its own shop has made.
  const [from, to] = [sender, asset] as `0x${string}`[]
  if (from === undefined || to === undefined) throw new TypeError('a transfer has two ends')
  const transaction = await client.sendUnsignedTransaction({ from, to, data: `0xa9059cbb${words.join('')}` })
  await client.waitForTransactionReceipt({ hash: transaction })
  return { transaction, network, asset, payTo, amount }
}
