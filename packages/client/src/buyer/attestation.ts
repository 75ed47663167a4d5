import { canonicalJson, isJsonObject, type Json, type JsonObject, sha256Hex } from '@groat/core'
import type { ExportedReceipt, ReceiptCheck } from './receipts.js'

/** Who answers for an export: an account, by its family, and what signs text in its name. */
export type Exporter = {
  /** `eip155:0x…` or `solana:…`. */
  readonly account: string
  readonly sign: (text: string) => Promise<string>
}

/** Tells whether a text is signed by an account. */
export type IsSignedBy = (account: string, text: string, signature: string) => Promise<boolean>

/** An export with the word of whoever exported it. */
export type AttestedReceipt = ExportedReceipt & { readonly attestation: JsonObject }

/**
 * Signs an export: what a payment's own signature does not cover (what it was for, the answer, what a chain said) is then covered by the exporter's. Every
 * member has a digest of its own in what is signed, so that whoever checks it can name what was changed (CL-6).
 *
 * @example
 * const signed = await attestReceipt(exportReceipt(record), { account: `eip155:${key.address}`, sign: (text) => signText(key, text) })
 */
export async function attestReceipt(receipt: ExportedReceipt, { account, sign }: Exporter): Promise<AttestedReceipt> {
  const parts = digestsOf(receipt)
  return { ...receipt, attestation: { account, parts, signature: await sign(signedText(account, parts)) } }
}

/** What the exporter says of a receipt; `undefined` where nobody has signed it. */
export type Attestation = {
  readonly account: string
  /** Whether the signature is the account's, over the digests. */
  readonly isSigned: boolean
  /** Members that are not what was signed, added and removed ones too. */
  readonly changed: readonly string[]
}

/** Reads the exporter's word, and holds the receipt against it. What is there and cannot be read is signed by nobody. */
export async function attestationOf(receipt: JsonObject, isSignedBy: IsSignedBy): Promise<Attestation | undefined> {
  const { attestation } = receipt
  if (attestation === undefined) return undefined
  const { account, parts, signature } = isJsonObject(attestation) ? attestation : {}
  if (typeof account !== 'string' || typeof signature !== 'string' || !isJsonObject(parts)) {
    return NOBODY
  }
  const own = quietly(() => digestsOf(receipt))
  if (own === undefined) return NOBODY
  const names = [...new Set([...Object.keys(own), ...Object.keys(parts)])]
  const text = quietly(() => signedText(account, parts))
  const isSigned = text !== undefined && (await isSignedBy(account, text, signature).catch(() => false))
  return { account, isSigned, changed: names.filter((name) => own[name] !== parts[name]) }
}

const NOBODY: Attestation = { account: 'nobody', isSigned: false, changed: [] }

/** What nests deeper than anybody can follow has no digest. */
function quietly<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

/** The exporter's word as checks: one of the signature, and one of everything that was changed since. */
export function checksOf({ account, isSigned, changed }: Attestation, believed: boolean): readonly ReceiptCheck[] {
  const says = !isSigned
    ? `not signed by ${account}`
    : believed
      ? `signed by ${account}`
      : `signed by ${account}, who is neither the payer nor trusted`
  const changes = changed.map((name) => ({
    check: `exporter.${name}`,
    ok: false,
    says: 'not what the exporter signed',
  }))
  return [{ check: 'exporter', ok: isSigned && believed, says }, ...changes]
}

/** What is signed: one line that says what it is for, and one that holds everything. */
function signedText(account: string, parts: JsonObject): string {
  return `groat receipt/1 exported by ${account}\n${sha256Hex(canonicalJson(parts))}`
}

function digestsOf({ attestation: _, ...receipt }: JsonObject): Readonly<Record<string, string>> {
  const members = Object.entries(receipt).filter((member): member is [string, Json] => member[1] !== undefined)
  return Object.fromEntries(members.map(([name, value]) => [name, sha256Hex(canonicalJson(value))]))
}
