import { defineExtension, type Fitting } from '@groat/core'
import * as shapes from './schema.shapes.js'

/** `sign-in-with-x`: whoever has paid shows that the account is theirs, and is not charged again (CAIP-122). */
export const signInWithX = defineExtension({
  key: 'sign-in-with-x',
  info: shapes.SignInInfo,
  fresh: ['nonce', 'issuedAt', 'expirationTime'],
})

/** The request header of a proof. */
export const SIGN_IN_HEADER = 'SIGN-IN-WITH-X'

/** What is asked to be signed. */
export type SignInInfo = Fitting<typeof shapes.SignInInfo>

/** What was signed, by whom, and how. */
export type SignInProof = Fitting<typeof shapes.SignInProof>

/** How accounts of a network sign; `undefined` where nobody here can verify it. */
export function signatureType(network: string): 'eip191' | 'ed25519' | undefined {
  if (network.startsWith('eip155:')) return 'eip191'
  return network.startsWith('solana:') ? 'ed25519' : undefined
}

/** The `schema` that travels with a challenge: that of a completed proof. */
export const WIRE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    domain: { type: 'string' },
    address: { type: 'string' },
    statement: { type: 'string' },
    uri: { type: 'string', format: 'uri' },
    version: { type: 'string' },
    chainId: { type: 'string' },
    type: { type: 'string' },
    nonce: { type: 'string' },
    issuedAt: { type: 'string', format: 'date-time' },
    expirationTime: { type: 'string', format: 'date-time' },
    resources: { type: 'array', items: { type: 'string', format: 'uri' } },
    signature: { type: 'string' },
  },
  required: ['domain', 'address', 'uri', 'version', 'chainId', 'type', 'nonce', 'issuedAt', 'signature'],
} as const
