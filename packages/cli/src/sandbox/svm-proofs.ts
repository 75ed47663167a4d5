import type { MadeTransfer, Network, PaymentRequirements } from '@groat/core'
import { createSvmRpc } from '@groat/svm/chain'
import type { SvmKeyAccount } from '@groat/svm/exact/client'
import { transferProof as pays } from '@groat/svm/transfer-proof/client'
import { transferProof as sells, withTransferProofs } from '@groat/svm/transfer-proof/server'
import {
  addressBytes,
  associatedTokenAccount,
  encodeBase64,
  encodeMessage,
  encodeTransaction,
  memo,
  programs,
  transferChecked,
} from '@groat/svm/wire'
import type { LocalNetwork } from './local-network.js'
import { madeOnDemand } from './made-on-demand.js'

/** The halves of payments by transfers, with a payer that makes each transfer when it is asked for. */
export function svmProofs(options: {
  readonly network: Network
  readonly rpcUrl: string
  readonly account: SvmKeyAccount
}): NonNullable<LocalNetwork['proofs']> {
  const { network, rpcUrl, account } = options
  return {
    sells,
    pays: madeOnDemand(
      (transfers) => pays({ account, transfers }),
      (offer) => makeTransfer(rpcUrl, account, offer),
    ),
    withProofs: (facilitator) =>
      withTransferProofs(facilitator, { chains: { [network]: rpcUrl }, commitment: 'confirmed' }),
  }
}

/** An ordinary transfer of the sandbox's USDC, in a block that is confirmed. */
export async function makeTransfer(
  rpcUrl: string,
  account: SvmKeyAccount,
  { network, asset, payTo, amount }: PaymentRequirements,
): Promise<MadeTransfer> {
  const rpc = createSvmRpc({ urls: [rpcUrl], network })
  const [payer, mint, payee] = [account.address, asset, payTo].map(addressBytes)
  if (payer === undefined || mint === undefined || payee === undefined) throw new TypeError('a transfer has two ends')
  const source = associatedTokenAccount(payer, programs.token, mint)
  const destination = associatedTokenAccount(payee, programs.token, mint)
  const move = transferChecked(programs.token, { source, mint, destination, authority: payer, amount, decimals: 6 })
  const blockhash = addressBytes(await rpc.latestBlockhash())
  // Two equal transfers of one moment would be one transaction.
  const once = memo(new TextEncoder().encode(crypto.randomUUID()))
  const message = encodeMessage({ feePayer: payer, instructions: [move, once], blockhash })
  const sent = await rpc.send(encodeBase64(encodeTransaction([await account.sign(message)], message)))
  if (!sent.ok) throw new Error(`the chain refused a transfer: ${sent.message}`)
  for (let tries = 0; (await rpc.transaction(sent.signature)) === undefined; tries++) {
    if (tries > MAX_TRIES) throw new Error('a transfer did not land')
    await new Promise((done) => setTimeout(done, 50))
  }
  return { transaction: sent.signature, network, asset, payTo, amount }
}

const MAX_TRIES = 400
