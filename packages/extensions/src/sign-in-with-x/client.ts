import {
  check,
  decodeBase64Text,
  decodeJsonObject,
  type ExtensionClient,
  isJsonObject,
  type Json,
  type JsonObject,
} from '@groat/core'
import { formatAddress, formatHex, nobleEngine, parseAddress, personalMessage } from '@groat/evm/crypto'
import { encodeBase58 } from '@groat/svm/wire'
import { formatSignIn } from './message.js'
import { writeProof } from './proof.js'
import * as shapes from './schema.shapes.js'
import { SIGN_IN_HEADER, type SignInInfo, type SignInProof, signInWithX } from './sign-in.js'

/** An Ethereum account that signs in: a viem account, a browser wallet behind three lines, or `privateKeyAccount` of `@groat/evm`. */
export type EvmSignInAccount =
  | { readonly address: string; signMessage(message: { readonly message: string }): Promise<string> }
  | { readonly address: string; signDigest(digest: Uint8Array): Promise<Uint8Array> }

/** A Solana account that signs in: `secretKeyAccount` of `@groat/svm`, or a wallet that signs messages. */
export type SvmSignInAccount =
  | { readonly address: string; sign(message: Uint8Array): Promise<Uint8Array> }
  | { readonly address: string; signMessage(message: Uint8Array): Promise<Uint8Array> }

/** Who signs in, by chain family. */
export type SignInAccounts = { readonly evm?: EvmSignInAccount; readonly svm?: SvmSignInAccount }

/**
 * The payer's half of `sign-in-with-x`: before it pays a seller that knows sign-ins, it signs in with the first account that fits, and pays only if that opens nothing. A challenge for another
 * origin than the one that answered is not signed. Nothing of the challenge is echoed in payments.
 *
 * @example
 * const payer = createPayer({ schemes, extensions: [signInWithAccounts({ evm: account })] })
 */
export function signInWithAccounts(accounts: SignInAccounts): ExtensionClient {
  return {
    extension: signInWithX,
    // The challenge is long, and nobody reads its echo.
    attach: () => undefined,
    present: (announced, { url }) => proofFor(accounts, announced, url),
  }
}

/**
 * A `fetch` that signs in where a server asks for that and for no money: it answers the challenge of a 401 once, to the origin that sent it (EXT-SIGN-025). Requests whose body is a
 * stream are not sent again. A payer may be given it as its `fetch`.
 *
 * @example
 * const response = await signedInFetch({ evm: account })('https://shop.example/members')
 */
export function signedInFetch(
  accounts: SignInAccounts,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    const again = request.clone()
    const answer = await fetch(request)
    const challenge = answer.status === 401 ? challengeIn(answer) : undefined
    const announced = challenge?.[signInWithX.key]
    if (!isJsonObject(announced) || init?.body instanceof ReadableStream) return answer
    const url = new URL(answer.url || request.url)
    if (url.origin !== new URL(request.url).origin) return answer
    const headers = await proofFor(accounts, announced, url)
    if (headers === undefined) return answer
    // Not waited for: it does not end while somebody holds a copy.
    answer.body?.cancel().catch(() => {})
    for (const [name, value] of Object.entries(headers)) again.headers.set(name, value)
    return fetch(again, { redirect: 'manual' })
  }
}

/** The header of a proof, signed by the first account that fits. */
async function proofFor(
  accounts: SignInAccounts,
  announced: JsonObject,
  url: URL,
): Promise<Readonly<Record<string, string>> | undefined> {
  const info = check(shapes.SignInInfo, announced.info)
  if (!info.ok || !isFor(info.value, url)) return undefined
  for (const { chainId, type } of chainsIn(announced)) {
    const signed = await sign(accounts, info.value, chainId, type)
    if (signed !== undefined) return { [SIGN_IN_HEADER]: writeProof(signed) }
  }
  return undefined
}

function challengeIn(answer: Response): JsonObject | undefined {
  const text = decodeBase64Text(answer.headers.get('payment-required') ?? '')
  const json = text.ok ? decodeJsonObject(text.value) : text
  return json.ok && isJsonObject(json.value.extensions) ? json.value.extensions : undefined
}

/** A challenge is for whoever sent it, and for nobody else: over plain http to another machine anybody on the way could use what is signed. */
function isFor({ domain, uri }: SignInInfo, url: URL): boolean {
  return isSecure(url) && domain === url.host && URL.canParse(uri) && new URL(uri).origin === url.origin
}

const isSecure = ({ protocol, hostname }: URL): boolean =>
  protocol === 'https:' || hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)

function chainsIn({ supportedChains }: JsonObject): readonly { readonly chainId: string; readonly type: string }[] {
  const all: readonly Json[] = Array.isArray(supportedChains) ? supportedChains : []
  return all.slice(0, 16).flatMap((chain) => {
    const { chainId, type } = isJsonObject(chain) ? chain : {}
    return typeof chainId === 'string' && typeof type === 'string' ? [{ chainId, type }] : []
  })
}

async function sign(
  { evm, svm }: SignInAccounts,
  info: SignInInfo,
  chainId: string,
  type: string,
): Promise<SignInProof | undefined> {
  if (evm !== undefined && type === 'eip191' && /^eip155:[1-9][0-9]{0,15}$/.test(chainId)) {
    const own = parseAddress(evm.address)
    if (own === undefined) return undefined
    const address = formatAddress(own)
    const text = formatSignIn({ ...info, address, chainId })
    const signature =
      'signMessage' in evm
        ? await evm.signMessage({ message: text })
        : formatHex(await evm.signDigest(nobleEngine.keccak256(personalMessage(text))))
    return { ...info, address, chainId, type, signature }
  }
  if (svm !== undefined && type === 'ed25519' && /^solana:[1-9A-HJ-NP-Za-km-z]{32}$/.test(chainId)) {
    const { address } = svm
    const bytes = new TextEncoder().encode(formatSignIn({ ...info, address, chainId }))
    const signature = 'sign' in svm ? await svm.sign(bytes) : await svm.signMessage(bytes)
    return { ...info, address, chainId, type, signature: encodeBase58(signature) }
  }
  return undefined
}
