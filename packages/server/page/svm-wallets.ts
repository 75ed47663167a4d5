import { exactSvm } from '@groat/svm/exact/client'
import { decodeTransaction, encodeTransaction, formatAddress } from '@groat/svm/wire'
import type { Wallet } from './wallet.js'

/** What is used of a wallet of the wallet standard. */
type StandardWallet = {
  readonly name: string
  readonly icon: string
  readonly chains: readonly string[]
  readonly features: Readonly<Record<string, unknown>>
}

type Account = { readonly address: string }
type Connect = { connect(): Promise<{ readonly accounts: readonly Account[] }> }
type Sign = {
  signTransaction(input: {
    readonly account: Account
    readonly transaction: Uint8Array
    readonly chain: string
  }): Promise<readonly { readonly signedTransaction: Uint8Array }[]>
}

/** What the wallet standard calls the chains. */
const CHAINS: Readonly<Record<string, string>> = {
  'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp': 'solana:mainnet',
  'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1': 'solana:devnet',
  'solana:4uhcVJyU9pJkvQyS88uRDiswHXSGkY3z': 'solana:testnet',
}

/** Finds wallets of Solana as they register (wallet standard). */
export function findSvmWallets(rpc: Readonly<Record<string, string>>, found: (wallet: Wallet) => void): void {
  const known = new Set<StandardWallet>()
  const register = (...wallets: readonly StandardWallet[]): (() => void) => {
    for (const wallet of wallets) {
      const { chains, features } = wallet
      const [connect, sign] = [features['standard:connect'], features['solana:signTransaction']]
      if (known.has(wallet) || connect === undefined || sign === undefined) continue
      known.add(wallet)
      found({
        name: wallet.name,
        icon: wallet.icon,
        serves: (network) => chains.includes(CHAINS[network] ?? ''),
        async connect(network) {
          const { accounts } = await (connect as Connect).connect()
          const [account] = accounts
          if (account === undefined) throw new Error('The wallet gave no account.')
          const chain = CHAINS[network] ?? ''
          return exactSvm({
            account: { address: account.address, sign: (message) => signed(sign as Sign, account, chain, message) },
            rpc,
          })
        },
      })
    }
    return () => {}
  }
  const api = Object.freeze({ register })
  addEventListener('wallet-standard:register-wallet', (event) => {
    ;(event as CustomEvent<(api: { register: typeof register }) => void>).detail(api)
  })
  dispatchEvent(new CustomEvent('wallet-standard:app-ready', { detail: api }))
}

/** The wallet's signature of exactly this message: one that a wallet has changed is another payment than was offered. */
async function signed(sign: Sign, account: Account, chain: string, message: Uint8Array): Promise<Uint8Array> {
  const transaction = encodeTransaction([undefined, undefined], message)
  const [answer] = await sign.signTransaction({ account, transaction, chain })
  const decoded = answer && decodeTransaction(answer.signedTransaction)
  if (decoded === undefined || typeof decoded === 'string') throw new Error('The wallet gave no transaction.')
  const same =
    decoded.message.bytes.length === message.length && decoded.message.bytes.every((byte, i) => byte === message[i])
  if (!same) throw new Error('The wallet changed the transaction; the seller would refuse it.')
  const at = decoded.message.keys.findIndex((key) => formatAddress(key) === account.address)
  return decoded.signatures[at] ?? new Uint8Array()
}
