import { asciiJson, check, decodeBase64Text, decodeJsonObject, encodeBase64Text } from '@groat/core'
import * as shapes from './schema.shapes.js'
import type { SignInProof } from './sign-in.js'

/** The longest header that is read: a contract wallet's signature fits. */
const MAX_LENGTH = 12_288

/**
 * A proof from its header; `undefined` for anything that is none: other base64, other JSON, members of another form, control characters, too much of it.
 *
 * @example
 * readProof(request.header('SIGN-IN-WITH-X') ?? '')?.address
 */
export function readProof(header: string): SignInProof | undefined {
  if (header.length > MAX_LENGTH) return undefined
  const text = decodeBase64Text(header)
  const json = text.ok ? decodeJsonObject(text.value) : text
  const proof = json.ok ? check(shapes.SignInProof, json.value) : json
  return proof.ok ? proof.value : undefined
}

/** The header of a proof. */
export function writeProof(proof: SignInProof): string {
  return encodeBase64Text(asciiJson(proof))
}
