import {
  type Asset,
  evmAssets,
  findAsset,
  isJsonObject,
  isNetwork,
  type Json,
  type JsonObject,
  type PaymentPayload,
  type PaymentRequirements,
  parseAtomic,
  type ReadSignable,
  type Refusal,
  refuse,
  type SignableTransfer,
  type SignerHalf,
  X402Error,
} from '@groat/core'
import { askSigner, type RemoteSigner } from '@groat/core/http'
import type { KeyAccount, TypedData, WalletAccount } from '../account.js'
import { type Address, parseAddress, recoverAddress } from '../address.js'
import { nobleEngine } from '../crypto/noble.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import { authorizationDigest, authorizationId, exactOnEvm } from '../exact/eip3009.js'
import { exactPermit, permit2Id, readPermit2, readTransfer } from '../exact/permit2.js'
import { readExact } from '../exact/shared.js'
import { formatHex, type Hex } from '../hex.js'
import { EXACT_PERMIT2_PROXY } from '../permit2/contracts.js'

export { isTextSignedBy, signText } from './text.js'

/** What a signer of EVM payments is made of. */
export type EvmSignerOptions = {
  readonly account: KeyAccount
  /** Tokens besides the default ones, and before them. Nothing else is signed for. */
  readonly assets?: readonly Asset[]
  readonly engine?: SigningEngine
}

/**
 * The half of a remote signer that knows EVM: it reads `exact` payments, by EIP-3009 and by Permit2, hashes what it has read by itself, and signs
 * that. A digest is never signed, and neither is any other typed data. Throws a `TypeError` when the account has no address.
 *
 * @example
 * const signer = createSigner({ halves: [evmSigner({ account })], policy: { perDay: '$10' } })
 */
export function evmSigner({ account, assets = [], engine = nobleSigningEngine }: EvmSignerOptions): SignerHalf {
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('no address')
  const known = [...assets, ...evmAssets]
  return {
    family: 'eip155',
    address: account.address,
    read(message, { recipients }) {
      if (!isJsonObject(message) || !isJsonObject(message.domain) || !isJsonObject(message.message)) return UNREADABLE
      const parts = { domain: message.domain, message: message.message, payer, known, account, engine }
      if (message.primaryType === 'TransferWithAuthorization') return readAuthorization(parts, recipients)
      if (message.primaryType === 'PermitWitnessTransferFrom') return readPermit(parts, recipients)
      return UNREADABLE
    },
  }
}

/**
 * An account whose key is at a remote signer. It serves wherever an account does: `exactEvm({ account })`. Its `signTypedData` throws
 * `X402Error` `signer_refused` and `signer_failed`.
 *
 * @example
 * const account = remoteEvmAccount({ url: 'https://signer.internal', token, address: '0x…' })
 */
export function remoteEvmAccount({ address, ...signer }: RemoteSigner & { readonly address: string }): WalletAccount {
  const own = parseAddress(address)
  if (own === undefined)
    throw new X402Error('invalid_config', { field: 'signer.address', problem: 'is no EVM address' })
  return {
    address: own,
    async signTypedData(data) {
      // What the signer answers is looked at by whoever asked for it.
      return (await askSigner(signer, { family: 'eip155', address: own, message: wireOf(data) })) as Hex
    },
  }
}

type Parts = {
  readonly domain: JsonObject
  readonly message: JsonObject
  readonly payer: Address
  readonly known: readonly Asset[]
  readonly account: KeyAccount
  readonly engine: SigningEngine
}

const UNREADABLE: Refusal = refuse('signer_refused', 'not a payment that is understood here')

function readAuthorization(
  { domain, message, payer, known, account, engine }: Parts,
  recipients: ReadSignable['recipients'],
): SignableTransfer | Refusal {
  const asset = assetOf(known, domain.chainId, domain.verifyingContract)
  if (asset === undefined) return refuse('asset_not_known')
  const { name, version } = asset.domain ?? {}
  if (name === undefined || version === undefined || domain.name !== name || domain.version !== version) {
    return refuse('domain_mismatch')
  }
  const [token, from, to] = [asset.address, message.from, message.to].map(addressOf)
  const [value, validAfter, validBefore] = [message.value, message.validAfter, message.validBefore].map(atomicOf)
  const { nonce } = message
  if (token === undefined || to === undefined || from !== payer) return UNREADABLE
  if (value === undefined || validAfter === undefined || validBefore === undefined || !isWord(nonce)) return UNREADABLE
  if (!isAllowed(to, recipients)) return refuse('recipient_not_allowed', to)
  const chainId = BigInt(String(domain.chainId))
  const authorization = { from, to, value, validAfter, validBefore, nonce }
  return {
    ok: true,
    pid: authorizationId(asset.network, token, authorization),
    payer,
    asset,
    payTo: to,
    amount: value,
    expiresAt: Number(validBefore),
    sign: () =>
      signed(account, authorizationDigest(engine, { name, version, chainId, verifyingContract: token }, authorization)),
  }
}

function readPermit(
  { domain, message, payer, known, account, engine }: Parts,
  recipients: ReadSignable['recipients'],
): SignableTransfer | Refusal {
  const { permitted, witness } = message
  if (!isJsonObject(permitted) || !isJsonObject(witness)) return UNREADABLE
  const asset = assetOf(known, domain.chainId, permitted.token)
  if (asset === undefined) return refuse('asset_not_known')
  const text = (value: Json | undefined) => (typeof value === 'string' ? value : '')
  const transfer = readTransfer({
    token: asset.address,
    amount: text(permitted.amount),
    spender: text(message.spender),
    nonce: text(message.nonce),
    deadline: text(message.deadline),
  })
  const [to, validAfter] = [addressOf(witness.to), atomicOf(witness.validAfter)]
  if (transfer === undefined || to === undefined || validAfter === undefined) return UNREADABLE
  // Any other contract could send the money where it likes.
  if (transfer.spender !== EXACT_PERMIT2_PROXY) return refuse('invalid_permit2_spender')
  if (!isAllowed(to, recipients)) return refuse('recipient_not_allowed', to)
  const chainId = BigInt(String(domain.chainId))
  return {
    ok: true,
    pid: permit2Id(asset.network, payer, transfer.nonce, exactOnEvm.name),
    payer,
    asset,
    payTo: to,
    amount: transfer.amount,
    expiresAt: Number(transfer.deadline),
    sign: () => signed(account, exactPermit.digest(engine, chainId, transfer, { to, validAfter })),
  }
}

const signed = async (account: KeyAccount, digest: Uint8Array) => formatHex(await account.signDigest(digest))

function assetOf(known: readonly Asset[], chainId: Json | undefined, token: Json | undefined): Asset | undefined {
  const network = `eip155:${String(chainId)}`
  return isNetwork(network) && typeof token === 'string' ? findAsset(known, network, token) : undefined
}

const addressOf = (value: Json | undefined) => (typeof value === 'string' ? parseAddress(value) : undefined)
const atomicOf = (value: Json | undefined) => (typeof value === 'string' ? parseAtomic(value) : undefined)
const isWord = (value: Json | undefined): value is Hex => typeof value === 'string' && /^0x[0-9a-f]{64}$/.test(value)
const isAllowed = (to: Address, recipients: ReadSignable['recipients']) =>
  recipients?.some((recipient) => parseAddress(recipient) === to) !== false

/** Integers travel as decimal text. */
function wireOf(data: TypedData): Json {
  // Typed data is JSON but for its integers.
  return JSON.parse(JSON.stringify(data, (_, value) => (typeof value === 'bigint' ? value.toString() : value))) as Json
}

/**
 * Who signed an `exact` payment, from the signature alone: for `verifyReceipt`. `undefined` where no key alone can be named: smart wallets sign as they
 * like, and other schemes are not read here.
 *
 * @example
 * const checks = await verifyReceipt(receipt, { schemes: [exactEvmServer], signerOf: signerOfEvm })
 */
export async function signerOfEvm(payment: PaymentPayload, offer: PaymentRequirements): Promise<string | undefined> {
  const digested = digestOf(payment, offer)
  return digested?.signature.length === 65
    ? (recoverAddress(nobleEngine, digested.digest, digested.signature) ?? 'nobody')
    : undefined
}

function digestOf(payment: PaymentPayload, offer: PaymentRequirements) {
  if (payment.scheme !== exactOnEvm.name) return undefined
  const byToken = readExact(payment, offer)
  if (byToken.ok) {
    const { domain, authorization, signature } = byToken
    return { digest: authorizationDigest(nobleEngine, domain, authorization), signature }
  }
  const byPermit2 = readPermit2(payment, offer)
  if (!byPermit2.ok) return undefined
  const { transfer, witness, signature, places } = byPermit2
  return { digest: exactPermit.digest(nobleEngine, places.chainId, transfer, witness), signature }
}
