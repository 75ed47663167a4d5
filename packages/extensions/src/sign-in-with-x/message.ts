import type { SignInInfo } from './sign-in.js'

type Members =
  | 'domain'
  | 'uri'
  | 'version'
  | 'nonce'
  | 'issuedAt'
  | 'statement'
  | 'expirationTime'
  | 'notBefore'
  | 'requestId'
  | 'resources'

/** Who signs what. */
export type SignInMessage = Pick<SignInInfo, Members> & {
  readonly address: string
  /** CAIP-2. */
  readonly chainId: string
}

/**
 * The text that an account signs (EIP-4361; the same on Solana, in its own words). Its members are lines: what is read by the wire schema cannot hold a line break,
 * so that no member can pass for another (EXT-SIGN-013).
 *
 * @example
 * formatSignIn({ ...info, address, chainId: 'eip155:8453' })
 */
export function formatSignIn(message: SignInMessage): string {
  const { domain, address, statement, uri, version, chainId, nonce, issuedAt } = message
  const { expirationTime, notBefore, requestId, resources = [] } = message
  const [, reference = ''] = chainId.split(':')
  const isSolana = chainId.startsWith('solana:')
  // Without a statement Ethereum's text has an empty line in its place, and Solana's has not.
  const said = statement ? [statement, ''] : isSolana ? [] : ['']
  return [
    `${domain} wants you to sign in with your ${isSolana ? 'Solana' : 'Ethereum'} account:`,
    address,
    '',
    ...said,
    `URI: ${uri}`,
    `Version: ${version}`,
    `Chain ID: ${reference}`,
    `Nonce: ${nonce}`,
    `Issued At: ${issuedAt}`,
    ...(expirationTime ? [`Expiration Time: ${expirationTime}`] : []),
    ...(notBefore ? [`Not Before: ${notBefore}`] : []),
    ...(requestId ? [`Request ID: ${requestId}`] : []),
    ...(resources.length > 0 ? ['Resources:', ...resources.map((resource) => `- ${resource}`)] : []),
  ].join('\n')
}
