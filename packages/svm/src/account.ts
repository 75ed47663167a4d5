import { belongsTo, createSigner } from './crypto/ed25519.js'
import { formatAddress, parseAddress } from './wire/address.js'
import { decodeBase58 } from './wire/base58.js'

/** A key that signs bytes: in this process, or in a key-management service. */
export interface SvmKeyAccount {
  readonly address: string
  /** The key is in this process: nothing is waited for. */
  readonly local?: true
  /** Signs a message. Answers 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>
}

/** A transaction as `@solana/kit` hands it to signers. */
export type SignableTransaction = {
  readonly messageBytes: Uint8Array
  readonly signatures: Readonly<Record<string, Uint8Array | null>>
  readonly lifetimeConstraint: { readonly blockhash: string; readonly lastValidBlockHeight: bigint }
}

/** A `TransactionPartialSigner` of `@solana/kit`: its key pairs, and wallets that sign without changing anything. */
export interface SvmTransactionSigner {
  readonly address: string
  signTransactions(
    transactions: readonly SignableTransaction[],
  ): Promise<readonly Readonly<Record<string, Uint8Array>>[]>
}

/** A `MessagePartialSigner` of `@solana/kit` that signs the bytes as they are. */
export interface SvmMessageSigner {
  readonly address: string
  signMessages(
    messages: readonly { readonly content: Uint8Array; readonly signatures: Readonly<Record<string, Uint8Array>> }[],
  ): Promise<readonly Readonly<Record<string, Uint8Array>>[]>
}

/** Whoever signs for an address. */
export type SvmAccount = SvmKeyAccount | SvmTransactionSigner | SvmMessageSigner

/** A key pair of `@solana/web3.js` version 1, or anything of its form. */
export type LegacyKeypair = {
  readonly publicKey: { toBytes(): Uint8Array }
  readonly secretKey: Uint8Array
}

/**
 * An account from a secret key: 64 bytes (the seed and the public key, as wallets keep it) or their base58 text.
 * Throws a `RangeError`, which does not quote the key, when it is not one.
 *
 * @example
 * const account = secretKeyAccount(process.env.SOLANA_KEY ?? '')
 */
export function secretKeyAccount(secretKey: string | Uint8Array): SvmKeyAccount {
  const bytes = typeof secretKey === 'string' ? decodeBase58(secretKey) : secretKey
  if (bytes?.length !== 64 || !belongsTo(bytes.subarray(0, 32), bytes.subarray(32))) {
    throw new RangeError('not a Solana secret key: 64 bytes, or their base58 text')
  }
  return { address: formatAddress(bytes.subarray(32)), local: true, sign: createSigner(bytes.subarray(0, 32)) }
}

/**
 * An account from a key pair of `@solana/web3.js` version 1. Throws a `RangeError` when its secret key is none.
 *
 * @example
 * const account = keypairAccount(Keypair.generate())
 */
export function keypairAccount({ publicKey, secretKey }: LegacyKeypair): SvmKeyAccount {
  const account = secretKeyAccount(secretKey)
  if (account.address !== formatAddress(publicKey.toBytes())) {
    throw new RangeError('the key pair does not belong together')
  }
  return account
}

/** Whether an account signs in this process; `{}` when somebody else does. For a `PreparedPayment`. */
export function locality(account: SvmAccount): { readonly local?: true } {
  return 'local' in account && account.local ? { local: true } : {}
}

/** What is to be signed, and the rest of what some signers want to know. */
export type SigningRequest = {
  readonly message: Uint8Array
  /** Everybody who signs. */
  readonly signers: readonly string[]
  readonly blockhash: string
}

/**
 * The account's signature over a message. Throws a `TypeError` when the answer is none.
 *
 * @example
 * await signMessage(account, { message, signers: [feePayer, account.address], blockhash })
 */
export async function signMessage(account: SvmAccount, request: SigningRequest): Promise<Uint8Array> {
  const signature = await askFor(account, request)
  if (signature?.length !== 64) throw new TypeError('the wallet answered no signature')
  return signature
}

/**
 * The account's signature over bytes that are no transaction. Throws a `TypeError` when the answer is none.
 *
 * @example
 * await signBytes(account, new TextEncoder().encode('hello'))
 */
export async function signBytes(account: SvmKeyAccount | SvmMessageSigner, bytes: Uint8Array): Promise<Uint8Array> {
  const signature = await askForBytes(account, bytes)
  if (signature?.length !== 64) throw new TypeError('the wallet answered no signature')
  return signature
}

async function askFor(account: SvmAccount, { message, signers, blockhash }: SigningRequest) {
  if ('sign' in account) return account.sign(message)
  const { address } = account
  if ('signTransactions' in account) {
    const signatures = Object.fromEntries(signers.map((signer) => [signer, null]))
    // Nothing that signs looks at the height, and who built the message may not know it.
    const lifetimeConstraint = { blockhash, lastValidBlockHeight: MAX_HEIGHT }
    const [answer] = await account.signTransactions([{ messageBytes: message, signatures, lifetimeConstraint }])
    return answer?.[address]
  }
  return askForBytes(account, message)
}

async function askForBytes(account: SvmKeyAccount | SvmMessageSigner, bytes: Uint8Array) {
  if ('sign' in account) return account.sign(bytes)
  const [answer] = await account.signMessages([{ content: bytes, signatures: {} }])
  return answer?.[account.address]
}

const MAX_HEIGHT = (1n << 64n) - 1n

/**
 * The address of an account, checked. Throws a `TypeError` when it has none.
 *
 * @example
 * accountAddress(account)
 */
export function accountAddress({ address }: Pick<SvmAccount, 'address'>): string {
  if (parseAddress(address) === undefined) throw new TypeError('the account has no address')
  return address
}
