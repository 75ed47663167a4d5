import { type Hex, recoverTypedDataAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

/** What a payer signs by EIP-3009; integers as decimal text. */
export type Authorization = {
  readonly from: string
  readonly to: string
  readonly value: string
  readonly validAfter: string
  readonly validBefore: string
  readonly nonce: string
}

/** The EIP-712 domain of a token. */
export type TokenDomain = {
  readonly name: string
  readonly version: string
  readonly chainId: number
  readonly verifyingContract: string
}

/** Signs the authorization with the key. */
export function signAuthorization(key: Hex, domain: TokenDomain, authorization: Authorization): Promise<Hex> {
  return privateKeyToAccount(key).signTypedData(typedData(domain, authorization))
}

/** Who signed, or undefined when nobody can have. */
export async function signerOf(
  domain: TokenDomain,
  authorization: Authorization,
  signature: Hex,
): Promise<string | undefined> {
  try {
    return await recoverTypedDataAddress({ ...typedData(domain, authorization), signature })
  } catch {
    return undefined
  }
}

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** The other signature of the same key over the same digest: upper s, other v. */
export function mirrored(signature: Hex): Hex {
  const s = order - BigInt(`0x${signature.slice(66, 130)}`)
  const v = signature.endsWith('1b') ? '1c' : '1b'
  return `0x${signature.slice(2, 66)}${s.toString(16).padStart(64, '0')}${v}`
}

function typedData(domain: TokenDomain, authorization: Authorization) {
  const { from, to, value, validAfter, validBefore, nonce } = authorization
  return {
    // Checks put in what is no address on purpose; viem throws then.
    domain: { ...domain, verifyingContract: domain.verifyingContract as Hex },
    types: { TransferWithAuthorization: fields },
    primaryType: 'TransferWithAuthorization',
    message: {
      from: from as Hex,
      to: to as Hex,
      value: BigInt(value),
      validAfter: BigInt(validAfter),
      validBefore: BigInt(validBefore),
      nonce: nonce as Hex,
    },
  } as const
}

const fields = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const
