import { type Address, addressBytes } from './address.js'
import { type Keypair, signBytes } from './keypair.js'

/** One account of an instruction. */
export type AccountMeta = { readonly address: Address; readonly signer?: boolean; readonly writable?: boolean }

/** One instruction, with the accounts by name. */
export type Instruction = {
  readonly program: Address
  readonly accounts: readonly AccountMeta[]
  readonly data: Uint8Array
}

/**
 * The bytes of a signed legacy transaction. The first signer pays; every signer that an instruction asks for must be
 * among `signers`. Up to 127 accounts and 127 bytes of data in an instruction: the little that the sandbox itself sends.
 */
export function buildTransaction(
  signers: readonly [Keypair, ...Keypair[]],
  instructions: readonly Instruction[],
  blockhash: Uint8Array,
): Uint8Array {
  const metas = orderedAccounts(signers[0].address, instructions)
  const indexOf = (address: Address) => metas.findIndex((meta) => meta.address === address)
  const required = metas.filter(({ signer }) => signer)
  const message = Buffer.concat([
    Uint8Array.of(
      required.length,
      required.filter(({ writable }) => !writable).length,
      metas.filter(({ signer, writable }) => !signer && !writable).length,
      metas.length,
    ),
    ...metas.map(({ address }) => addressBytes(address)),
    blockhash,
    Uint8Array.of(instructions.length),
    ...instructions.flatMap(({ program, accounts, data }) => [
      Uint8Array.of(indexOf(program), accounts.length, ...accounts.map(({ address }) => indexOf(address)), data.length),
      data,
    ]),
  ])
  const signatures = required.map(({ address }) => {
    const signer = signers.find((each) => each.address === address)
    if (signer === undefined) throw new TypeError(`No key signs for ${address}.`)
    return signBytes(signer, message)
  })
  return Buffer.concat([Uint8Array.of(signatures.length), ...signatures, message])
}

type Merged = { readonly address: Address; signer: boolean; writable: boolean }

/** Each account once, with all that is asked of it: writable signers, signers, writable, the rest. */
function orderedAccounts(payer: Address, instructions: readonly Instruction[]): Merged[] {
  const merged = new Map<Address, Merged>([[payer, { address: payer, signer: true, writable: true }]])
  const asked: AccountMeta[] = instructions.flatMap(({ program, accounts }) => [...accounts, { address: program }])
  for (const { address, signer = false, writable = false } of asked) {
    const known = merged.get(address) ?? { address, signer: false, writable: false }
    merged.set(address, { address, signer: known.signer || signer, writable: known.writable || writable })
  }
  const rank = ({ signer, writable }: Merged) => (signer ? 0 : 2) + (writable ? 0 : 1)
  return [...merged.values()].sort((a, b) => rank(a) - rank(b))
}
