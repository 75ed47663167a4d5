import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { formatBase58, parseBase58 } from './base58.js'

/** An Ed25519 key of an account. */
export type Keypair = { readonly address: string; readonly secretKey: string; readonly key: KeyObject }

/** One instruction, with its accounts by name. */
export type Instruction = {
  readonly program: string
  readonly accounts: readonly Meta[]
  readonly data: Uint8Array
}

/** An account of an instruction. */
export type Meta = { readonly address: string; readonly signer?: boolean; readonly writable?: boolean }

/** A message before it is signed. */
export type Message = {
  readonly feePayer: string
  readonly instructions: readonly Instruction[]
  readonly blockhash: string
  /** `legacy` unless told 0; any other number is what no runtime takes. */
  readonly version?: number | 'legacy'
}

/** Programs of Solana. */
export const programs = {
  system: '11111111111111111111111111111111',
  token: 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA',
  associatedToken: 'ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL',
  computeBudget: 'ComputeBudget111111111111111111111111111111',
  memo: 'MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr',
} as const

/** The key pair of 32 bytes of seed. */
export function keypairOf(seed: Uint8Array): Keypair {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
  return { address: formatBase58(publicKey), secretKey: formatBase58(Buffer.concat([seed, publicKey])), key }
}

/** A transaction in base64: the message, and a slot for every signer. Slots without a key stay zero. */
export function encodeTransaction(message: Message, signers: readonly Keypair[]): string {
  const { bytes, required } = encodeMessage(message)
  const slots = required.map((address) => {
    const signer = signers.find((each) => each.address === address)
    return signer === undefined ? Buffer.alloc(64) : sign(null, bytes, signer.key)
  })
  return Buffer.concat([compact(slots.length), ...slots, bytes]).toString('base64')
}

/** A transaction taken apart. */
export type Decoded = {
  readonly signatures: readonly Uint8Array[]
  readonly message: Uint8Array
  readonly required: number
  readonly accounts: readonly string[]
  readonly blockhash: string
  readonly instructions: readonly {
    readonly program: string
    readonly accounts: readonly string[]
    readonly data: Uint8Array
  }[]
}

/** What a transaction says; undefined when it cannot be read. Lookup tables are not followed. */
export function decodeTransaction(base64: string): Decoded | undefined {
  try {
    return decode(Buffer.from(base64, 'base64'))
  } catch {
    return undefined
  }
}

/** Whether this account signed the transaction. */
export function isSignedBy({ accounts, signatures, message }: Decoded, address: string): boolean {
  const at = accounts.indexOf(address)
  const signature = signatures[at]
  const publicKey = parseBase58(address)
  if (signature === undefined || publicKey?.length !== 32) return false
  const key = createPublicKey({ key: Buffer.concat([spki, publicKey]), format: 'der', type: 'spki' })
  return verify(null, message, key, signature)
}

/** Where an owner keeps tokens of a mint. */
export function tokenAccountOf(owner: string, mint: string, tokenProgram: string = programs.token): string {
  const seeds = [owner, tokenProgram, mint].map(bytesOf)
  for (let bump = 255; bump >= 0; bump--) {
    const hash = createHash('sha256')
    for (const seed of seeds) hash.update(seed)
    const program = bytesOf(programs.associatedToken)
    const bytes = hash.update(Uint8Array.of(bump)).update(program).update('ProgramDerivedAddress').digest()
    if (!isOnCurve(bytes)) return formatBase58(bytes)
  }
  throw new TypeError('these seeds have no derived address')
}

/** Instructions of a payment. */
export const instruction = {
  unitLimit: (units: number): Instruction => budget(2, u32(units)),
  unitPrice: (price: bigint): Instruction => budget(3, u64(price)),
  transferChecked: (
    from: { source: string; mint: string; destination: string; authority: string },
    amount: bigint,
    decimals: number,
  ): Instruction => ({
    program: programs.token,
    accounts: [
      { address: from.source, writable: true },
      { address: from.mint },
      { address: from.destination, writable: true },
      { address: from.authority, signer: true },
    ],
    data: Buffer.concat([Uint8Array.of(12), u64(amount), Uint8Array.of(decimals)]),
  }),
  memo: (text: string): Instruction => ({ program: programs.memo, accounts: [], data: Buffer.from(text) }),
} as const

function budget(kind: number, value: Uint8Array): Instruction {
  return { program: programs.computeBudget, accounts: [], data: Buffer.concat([Uint8Array.of(kind), value]) }
}

function encodeMessage({ feePayer, instructions, blockhash, version = 0 }: Message) {
  const metas = ordered(feePayer, instructions)
  const indexOf = (address: string) => metas.findIndex((meta) => meta.address === address)
  const signers = metas.filter(({ signer }) => signer)
  const bytes = Buffer.concat([
    version === 'legacy' ? new Uint8Array() : Uint8Array.of(0x80 | version),
    Uint8Array.of(
      signers.length,
      signers.filter(({ writable }) => !writable).length,
      metas.filter(({ signer, writable }) => !signer && !writable).length,
    ),
    compact(metas.length),
    ...metas.map(({ address }) => bytesOf(address)),
    bytesOf(blockhash),
    compact(instructions.length),
    ...instructions.flatMap(({ program, accounts, data }) => [
      Uint8Array.of(indexOf(program)),
      compact(accounts.length),
      Uint8Array.from(accounts.map(({ address }) => indexOf(address))),
      compact(data.length),
      data,
    ]),
    version === 'legacy' ? new Uint8Array() : compact(0),
  ])
  return { bytes, required: signers.map(({ address }) => address) }
}

/** Each account once, with all that is asked of it; writable signers first, the fee payer before all. */
function ordered(feePayer: string, instructions: readonly Instruction[]) {
  const merged = new Map([[feePayer, { address: feePayer, signer: true, writable: true }]])
  const asked: readonly Meta[] = instructions.flatMap(({ accounts, program }) => [...accounts, { address: program }])
  for (const { address, signer = false, writable = false } of asked) {
    const known = merged.get(address)
    merged.set(address, {
      address,
      signer: (known?.signer ?? false) || signer,
      writable: (known?.writable ?? false) || writable,
    })
  }
  const rank = ({ signer, writable }: { signer: boolean; writable: boolean }) => (signer ? 0 : 2) + (writable ? 0 : 1)
  return [...merged.values()].sort((a, b) => rank(a) - rank(b))
}

function decode(bytes: Uint8Array): Decoded {
  let at = 0
  const take = (length: number) => {
    if (at + length > bytes.length) throw new RangeError('too short')
    at += length
    return bytes.subarray(at - length, at)
  }
  const one = () => take(1)[0] ?? 0
  const count = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = one()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const signatures = Array.from({ length: count() }, () => take(64))
  const message = bytes.subarray(at)
  const versioned = ((bytes[at] ?? 0) & 0x80) !== 0
  if (versioned) one()
  const required = one()
  take(2)
  const accounts = Array.from({ length: count() }, () => formatBase58(take(32)))
  const blockhash = formatBase58(take(32))
  const instructions = Array.from({ length: count() }, () => {
    const program = accounts[one()] ?? ''
    const named = Array.from({ length: count() }, () => accounts[one()] ?? '')
    return { program, accounts: named, data: take(count()) }
  })
  return { signatures, message, required, accounts, blockhash, instructions }
}

function compact(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

function bytesOf(address: string): Uint8Array {
  const bytes = parseBase58(address)
  if (bytes?.length !== 32) throw new TypeError(`${address} is not an address`)
  return bytes
}

const prime = 2n ** 255n - 19n
const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n

/** Whether 32 bytes are a point of the curve, and so might have a private key. */
function isOnCurve(bytes: Uint8Array): boolean {
  const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & (2n ** 255n - 1n)
  const y2 = (y * y) % prime
  const product = ((y2 - 1n + prime) * (d * y2 + 1n)) % prime
  return product === 0n || power(product, (prime - 1n) / 2n) === 1n
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = (result * result) % prime
    if (bit === '1') result = (result * base) % prime
  }
  return result
}

const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const spki = Buffer.from('302a300506032b6570032100', 'hex')
