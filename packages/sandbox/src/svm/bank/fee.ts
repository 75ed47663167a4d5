import { programs } from '../programs.js'
import type { Address } from '../wire/address.js'
import { createReader } from '../wire/reader.js'
import type { Message } from '../wire/transaction.js'

/** What a message costs its first signer, in lamports: 5,000 for each signature, and the priority fee. */
export function feeOf(message: Message): bigint {
  const { price, limit } = computeBudgetOf(message)
  return lamportsPerSignature * BigInt(signaturesOf(message)) + (price * BigInt(limit) + 999_999n) / 1_000_000n
}

/** Microlamports that a message offers for each compute unit, and how many units it pays for. */
export function computeBudgetOf(message: Message): { readonly price: bigint; readonly limit: number } {
  let price = 0n
  let limit: number | undefined
  let byDefault = 0
  for (const { program, data } of instructionsOf(message)) {
    byDefault += builtIn.has(program) ? 3_000 : 200_000
    if (program !== programs.computeBudget) continue
    if (data[0] === 2 && data.length >= 5) limit = createReader(data.subarray(1)).u32()
    if (data[0] === 3 && data.length >= 9) price = createReader(data.subarray(1)).u64()
  }
  return { price, limit: Math.min(limit ?? byDefault, mostUnits) }
}

const lamportsPerSignature = 5_000n
const mostUnits = 1_400_000

const precompiles: ReadonlySet<Address> = new Set([programs.ed25519, programs.secp256k1, programs.secp256r1])
const { system, computeBudget, vote, loaderV1, loaderV2, upgradeableLoader, loaderV4 } = programs
const builtIn: ReadonlySet<Address> = new Set([
  ...[system, computeBudget, vote, loaderV1, loaderV2, upgradeableLoader, loaderV4],
  ...precompiles,
])

/** A precompile's instruction begins with the number of signatures that it has checked. */
function signaturesOf(message: Message): number {
  const checked = instructionsOf(message).filter(({ program }) => precompiles.has(program))
  return checked.reduce((total, { data }) => total + (data[0] ?? 0), message.requiredSignatures)
}

function instructionsOf({ instructions, staticKeys }: Message) {
  return instructions.map(({ programIndex, data }) => ({ program: staticKeys[programIndex] ?? '', data }))
}
