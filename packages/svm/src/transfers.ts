import { type ChainTransfer, type Network, type TransferReader, X402Error } from '@groat/core'
import { isSvmNetwork } from './network.js'
import { type Commitment, createSvmRpc, type LandedTransaction, type SvmRpc } from './rpc.js'
import { addressBytes, formatAddress } from './wire/address.js'
import { encodeBase58 } from './wire/base58.js'
import { decodeBase64 } from './wire/base64.js'
import { readU64 } from './wire/bytes.js'
import { associatedTokenAccount } from './wire/derived-address.js'
import { tokenProgramName } from './wire/token.js'
import { decodeTransaction } from './wire/transaction.js'

/** How a chain is read. */
export type SvmTransfersOptions = {
  readonly network: Network
  /** URLs of nodes, the preferred one first, or a connection of your own. */
  readonly rpc: string | readonly [string, ...string[]] | SvmRpc
  /** How sure a block must be to count; `confirmed` unless told. */
  readonly commitment?: Commitment
}

/**
 * Reads what came to the associated token account of an owner, by balances before and behind each transaction. What left it is no matter of
 * this. Throws `X402Error` `invalid_network`; its methods throw what the nodes give cause to, and `unknown_asset` for a mint that is none.
 *
 * @example
 * const reader = createSvmTransfers({ network: network('solana'), rpc: process.env.SOLANA_RPC })
 * await reader.received(usdc, payTo, [firstSignature])
 */
export function createSvmTransfers({
  network,
  rpc: given,
  commitment = 'confirmed',
}: SvmTransfersOptions): TransferReader {
  if (!isSvmNetwork(network)) throw new X402Error('invalid_network', { network })
  const urls = typeof given === 'string' ? ([given] as const) : given
  const rpc = 'simulate' in urls ? urls : createSvmRpc({ urls, network, commitment })

  const brought: TransferReader['brought'] = async (signature, mint, owner) => {
    const landed = await rpc.transaction(signature)
    return landed === undefined ? [] : transfersIn(landed, signature, mint, owner)
  }

  return {
    network,
    brought,
    async isOver({ payload }, expiresAt) {
      const bytes = typeof payload.transaction === 'string' ? decodeBase64(payload.transaction) : undefined
      const transaction = bytes && decodeTransaction(bytes)
      if (transaction === undefined || typeof transaction === 'string') return false
      const blockhash = encodeBase58(transaction.message.blockhash)
      // Blocks are what counts; a chain that stands still lets nothing expire.
      const [isValid, time] = await Promise.all([rpc.isBlockhashValid(blockhash), chainTime(rpc)])
      return !isValid && time > BigInt(Math.ceil(expiresAt))
    },
    async received(mint, owner, since) {
      const account = await accountOf(rpc, network, mint, owner)
      const known = new Set(since)
      const newest: string[] = []
      let first = -1
      for (let before: string | undefined; ; ) {
        const page = await rpc.signatures(account, before)
        for (const { signature, failed } of page) {
          if (known.has(signature)) first = newest.length
          if (!failed) newest.push(signature)
        }
        before = page.at(-1)?.signature
        if (before === undefined) break
      }
      if (first < 0) return undefined
      // From the oldest that is known on; the newest come first.
      const wanted = newest.slice(0, first + 1)
      const found: ChainTransfer[] = []
      for (let at = 0; at < wanted.length; at += AT_ONCE) {
        const some = wanted.slice(at, at + AT_ONCE)
        found.push(...(await Promise.all(some.map((each) => brought(each, mint, owner)))).flat())
      }
      return found
    },
  }
}

const AT_ONCE = 20

/** The account in which the chain keeps its time. */
const CLOCK = 'SysvarC1ock11111111111111111111111111111111'

/** Seconds since 1970 by the chain: a node that is far behind must not take what it has not seen yet for gone. */
async function chainTime(rpc: SvmRpc): Promise<bigint> {
  const [clock] = await rpc.accounts([CLOCK])
  return clock === undefined ? 0n : readU64(clock.data, 32)
}

async function accountOf(rpc: SvmRpc, network: Network, mint: string, owner: string): Promise<string> {
  const [account] = await rpc.accounts([mint])
  if (account === undefined || tokenProgramName(account.owner) === undefined) {
    throw new X402Error('unknown_asset', { network, asset: mint })
  }
  return formatAddress(associatedTokenAccount(addressBytes(owner), account.owner, addressBytes(mint)))
}

function transfersIn(
  { error, before, after }: LandedTransaction,
  transaction: string,
  mint: string,
  owner: string,
): readonly ChainTransfer[] {
  if (error !== undefined) return []
  const grown = (each: { readonly index: number; readonly amount: bigint }) =>
    each.amount - (before.find(({ index }) => index === each.index)?.amount ?? 0n)
  const payers = before.filter((each) => {
    const now = after.find(({ index }) => index === each.index)
    return each.mint === mint && now !== undefined && now.amount < each.amount
  })
  const [payer] = payers
  const from = payers.length === 1 && payer?.owner !== undefined ? { from: payer.owner } : {}
  return after
    .filter((each) => each.mint === mint && each.owner === owner && grown(each) > 0n)
    .map((each) => ({ transaction, index: each.index, amount: grown(each), ...from }))
}
