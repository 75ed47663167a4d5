import { createHash } from 'node:crypto'
import { programs } from '../programs.js'
import { type Address, addressBytes, formatAddress } from './address.js'

/** Where an owner's tokens of a mint are kept. The token program is part of the address. */
export function associatedTokenAddress(owner: Address, mint: Address, tokenProgram: Address = programs.token): Address {
  return derivedAddress([addressBytes(owner), addressBytes(tokenProgram), addressBytes(mint)], programs.associatedToken)
}

/** The address without a private key that a program has for these seeds. */
export function derivedAddress(seeds: readonly Uint8Array[], program: Address): Address {
  for (let bump = 255; bump >= 0; bump--) {
    const hash = createHash('sha256')
    for (const seed of seeds) hash.update(seed)
    const bytes = hash
      .update(Uint8Array.of(bump))
      .update(addressBytes(program))
      .update('ProgramDerivedAddress')
      .digest()
    if (!isOnCurve(bytes)) return formatAddress(bytes)
  }
  throw new TypeError('No derived address exists for these seeds.')
}

const p = 2n ** 255n - 19n
const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

/** Whether 32 bytes are a point of the Ed25519 curve: then a private key might exist. */
function isOnCurve(bytes: Uint8Array): boolean {
  const y = littleEndian(bytes) & (2n ** 255n - 1n)
  const y2 = (y * y) % p
  // x² = (y² - 1) / (d y² + 1) has a root exactly if this product is a square (or zero): no inversion needed.
  const product = ((y2 - 1n + p) * (d * y2 + 1n)) % p
  return product === 0n || power(product, (p - 1n) / 2n) === 1n
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) result = (((result * result) % p) * (bit === '1' ? base : 1n)) % p
  return result
}
