import type { Key } from './address.js'
import { joinBytes, sameBytes } from './bytes.js'

/** An account of an instruction that is still to be put into a message. */
export type AccountRole = { readonly key: Key; readonly signer?: boolean; readonly writable?: boolean }

/** An instruction that is still to be put into a message. */
export type PlannedInstruction = {
  readonly program: Key
  readonly accounts: readonly AccountRole[]
  readonly data: Uint8Array
}

/** What a message is made of. */
export type MessagePlan = {
  readonly feePayer: Key
  readonly instructions: readonly PlannedInstruction[]
  /** 32 bytes. */
  readonly blockhash: Uint8Array
  /** 0 unless told. */
  readonly version?: 'legacy' | 0
}

/**
 * The bytes of a message: keys in the order the runtime wants (signers before others, writable before read-only), each group in the order
 * in which the instructions name them, programs last. Without lookup tables.
 *
 * @example
 * encodeMessage({ feePayer, instructions: [transfer], blockhash })
 */
export function encodeMessage({ feePayer, instructions, blockhash, version = 0 }: MessagePlan): Uint8Array {
  const roles = collectRoles(feePayer, instructions)
  const group = (signer: boolean, writable: boolean) =>
    roles.filter((role) => role.signer === signer && role.writable === writable)
  const [writableSigners, readonlySigners] = [group(true, true), group(true, false)]
  const [writable, readonly] = [group(false, true), group(false, false)]
  const keys = [...writableSigners, ...readonlySigners, ...writable, ...readonly].map(({ key }) => key)
  const indexOf = (wanted: Key) => keys.findIndex((key) => sameBytes(key, wanted))
  const body = instructions.flatMap(({ program, accounts, data }) => [
    new Uint8Array([indexOf(program)]),
    encodeLength(accounts.length),
    Uint8Array.from(accounts, ({ key }) => indexOf(key)),
    encodeLength(data.length),
    data,
  ])
  return joinBytes(
    new Uint8Array([
      ...(version === 0 ? [0x80] : []),
      writableSigners.length + readonlySigners.length,
      readonlySigners.length,
      readonly.length,
    ]),
    encodeLength(keys.length),
    ...keys,
    blockhash,
    encodeLength(instructions.length),
    ...body,
    new Uint8Array(version === 0 ? 1 : 0),
  )
}

/**
 * The bytes of a transaction: the signatures in the order of the message's keys, then the message. A missing signature is zeros.
 *
 * @example
 * encodeTransaction([undefined, signature], message)
 */
export function encodeTransaction(signatures: readonly (Uint8Array | undefined)[], message: Uint8Array): Uint8Array {
  return joinBytes(encodeLength(signatures.length), ...signatures.map((each) => each ?? new Uint8Array(64)), message)
}

type Role = { readonly key: Key; signer: boolean; writable: boolean }

/** Every key once, with the most that any instruction asks of it. */
function collectRoles(feePayer: Key, instructions: readonly PlannedInstruction[]): readonly Role[] {
  const roles: Role[] = [{ key: feePayer, signer: true, writable: true }]
  const add = ({ key, signer = false, writable = false }: AccountRole) => {
    const known = roles.find((role) => sameBytes(role.key, key))
    if (known === undefined) roles.push({ key, signer, writable })
    else {
      known.signer ||= signer
      known.writable ||= writable
    }
  }
  for (const { accounts } of instructions) for (const account of accounts) add(account)
  for (const { program } of instructions) add({ key: program })
  return roles
}

function encodeLength(length: number): Uint8Array {
  if (length < 0x80) return new Uint8Array([length])
  return length < 0x4000
    ? new Uint8Array([(length & 0x7f) | 0x80, length >> 7])
    : new Uint8Array([(length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14])
}
