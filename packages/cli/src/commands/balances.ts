import { type Asset, networkFamily } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { parseAddress } from '@groat/evm/crypto'
import { createSvmChain } from '@groat/svm/chain'
import { addressBytes, associatedTokenAccount, formatAddress, programs } from '@groat/svm/wire'
import { CliError } from '../terminal/exit.js'

/** What an account has of an asset, in atomic units, as a node says. Throws `X402Error` `rpc_unreachable` and the like. */
export async function balanceOf(asset: Asset, account: string, node: string): Promise<bigint> {
  return networkFamily(asset.network) === 'solana'
    ? splBalance(asset, account, node)
    : erc20Balance(asset, account, node)
}

async function erc20Balance({ network, address }: Asset, account: string, node: string): Promise<bigint> {
  const { rpc } = await createEvmChain({ network, rpc: node, signers: [] })
  const [to, owner] = [parseAddress(address), parseAddress(account)]
  if (to === undefined || owner === undefined) throw new CliError('usage', `${account} is no account of ${network}`)
  const answer = await rpc.call({ to, data: `0x70a08231${owner.slice(2).padStart(64, '0')}` })
  if (!answer.ok || answer.data === '0x') throw new CliError('no', `${address} is no token of ${network}`)
  return BigInt(answer.data)
}

async function splBalance({ network, address, transfer }: Asset, account: string, node: string): Promise<bigint> {
  const { rpc } = createSvmChain({ network, rpc: node, signers: [] })
  const program = transfer === 'spl-2022' ? programs.token2022 : programs.token
  const holder = associatedTokenAccount(addressBytes(account), program, addressBytes(address))
  const [found] = await rpc.accounts([formatAddress(holder)])
  // A token account says its mint, its owner, and then the amount.
  return found === undefined ? 0n : new DataView(Uint8Array.from(found.data).buffer).getBigUint64(64, true)
}
