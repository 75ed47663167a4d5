import { encodeCallWithBytes } from './abi.js'
import { type Address, recoverAddress } from './address.js'
import type { CryptoEngine } from './crypto/engine.js'
import { isErc6492, unwrapErc6492 } from './crypto/signature.js'
import { formatHex, type Hex } from './hex.js'
import type { EvmRpc } from './rpc.js'

/** Gas for asking a wallet about a signature: what its contract does is the payer's affair, what it costs is not. */
export const WALLET_GAS = 200_000n

/** A chain, as far as signatures are concerned. */
export type SignatureChain = { readonly rpc: EvmRpc; readonly engine: CryptoEngine }

/** What was signed, by whom it is said to be, and the bytes that say so. */
export type SignatureClaim = { readonly payer: Address; readonly digest: Uint8Array; readonly signature: Uint8Array }

/**
 * Who answers for a signature: the payer's `key`, the payer's `contract` (a wallet or delegated code, EIP-7702, which has yet to be
 * asked), a contract that is not there yet (`undeployed`, ERC-6492), or `nobody`. The chain is asked for the payer's code only where no key of that
 * address made the bytes. Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * if ((await signerOf(chain, { payer, digest, signature })) === 'nobody') return refuse('invalid_permit2_signature')
 */
export async function signerOf(
  { rpc, engine }: SignatureChain,
  { payer, digest, signature }: SignatureClaim,
): Promise<'key' | 'contract' | 'undeployed' | 'nobody'> {
  if (recoverAddress(engine, digest, signature) === payer) return 'key'
  if ((await rpc.code(payer)) !== '0x') return 'contract'
  return isErc6492(signature) ? 'undeployed' : 'nobody'
}

/**
 * Whether a signature is the payer's as contracts see it: an account without code by its key, in the one canonical form; an account with code,
 * delegated code among it, by its `isValidSignature` and nothing else. Envelopes (ERC-6492) of wallets that exist are opened; of wallets that do
 * not, nothing is believed. Throws `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * await acceptsSignature(chain, { payer, digest, signature }) // true
 */
export async function acceptsSignature(chain: SignatureChain, claim: SignatureClaim): Promise<boolean> {
  const { payer, digest, signature } = claim
  const [code, accepts] = await Promise.all([chain.rpc.code(payer), walletAccepts(chain.rpc, claim)])
  return code === '0x' ? recoverAddress(chain.engine, digest, signature) === payer : accepts
}

/** Whether the contract at the payer's address takes the signature for its own (ERC-1271). An address without code answers nothing, so it does not. */
export async function walletAccepts(rpc: EvmRpc, { payer, digest, signature }: SignatureClaim): Promise<boolean> {
  const answer = await rpc.call({
    to: payer,
    data: encodeIsValidSignature(digest, bareSignature(signature)),
    gas: WALLET_GAS,
  })
  return answer.ok && isValidSignatureMagic(answer.data)
}

/** What is inside an ERC-6492 envelope; any other signature as it is. */
export const bareSignature = (signature: Uint8Array): Uint8Array => unwrapErc6492(signature)?.signature ?? signature

/** `isValidSignature(bytes32,bytes)`: whether a contract wallet takes a signature for its own (ERC-1271). */
export const encodeIsValidSignature = (digest: Uint8Array, signature: Uint8Array): Hex =>
  encodeCallWithBytes('0x1626ba7e', [formatHex(digest)], signature)

/** The answer of a wallet that does. */
export const isValidSignatureMagic = (data: Hex): boolean => data.startsWith('0x1626ba7e') && data.length >= 66
