import { connect } from 'node:net'
import type { MutantOver, OverFault } from './client-over.js'

// biome-ignore lint/suspicious/noExplicitAny: a mutant spoils whatever it finds.
type Json = any

/** A fault of any kind. */
export const mutant = (name: string, kills: readonly string[], fault: OverFault): MutantOver => ({ name, kills, fault })

/** Changes what its payments say of an extension. */
export const echoes = (
  name: string,
  kills: readonly string[],
  key: string,
  change: (echo: Json, announced: Json) => Json,
) =>
  mutant(name, kills, {
    pays: (payment, announced) => {
      const found = payment.extensions?.[key]
      const echo = change(found, announced?.[key])
      if (echo === found) return payment
      return { ...payment, extensions: { ...payment.extensions, [key]: echo } }
    },
  })

export const withInfo = (change: object | ((info: Json) => object)) => (echo: Json) =>
  echo === undefined
    ? echo
    : { ...echo, info: { ...echo.info, ...(typeof change === 'function' ? change(echo.info) : change) } }

/** Reads challenges to sign in with something else about them. */
const takes = (name: string, kills: readonly string[], change: (found: Json, url: URL) => Json) =>
  mutant(name, kills, {
    reads: (challenge, url) => {
      const found = challenge.extensions?.['sign-in-with-x']
      if (found === undefined) return challenge
      return { ...challenge, extensions: { ...challenge.extensions, 'sign-in-with-x': change(found, url) } }
    },
  })

const relies = (name: string, kills: readonly string[], signedReceipt: boolean) =>
  mutant(name, kills, { fetched: (answer) => ('ok' in answer ? { ok: { ...answer.ok, signedReceipt } } : answer) })

/** Connects to whatever the key of a signed offer names. */
async function visit(challenge: Json): Promise<void> {
  const signed = challenge.extensions?.['offer-receipt']?.info?.offers?.[0]?.signature
  if (signed === undefined) return
  const { kid } = JSON.parse(Buffer.from(signed.split('.')[0], 'base64url').toString())
  const port = Number(/%3A(\d+)#/.exec(kid)?.[1])
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })
}

/** Broken in what they make of extensions. */
export const clientExtensionMutants: readonly MutantOver[] = [
  echoes('changes an extension that it does not know', ['CORE-082/unknown/evm'], 'x-strange', withInfo({ zero: 1 })),
  mutant('runs the schemas of sellers', ['EXT-010/schema/evm'], {
    reads: (challenge) => {
      const all: Json[] = Object.values(challenge.extensions ?? {})
      if (all.some((each) => each?.schema?.not)) throw new Error('info is not what its schema says')
      return challenge
    },
  }),
  mutant('falls over extensions', ['EXT-020/garbage/evm'], {
    reads: (challenge) => {
      for (const each of Object.values(challenge.extensions ?? {})) void (each as Json).info
      return challenge
    },
  }),

  echoes('names no payments', ['EXT-ID-020/names/evm'], 'payment-identifier', withInfo({ id: undefined })),
  echoes(
    'overwrites whether names are required',
    ['EXT-ID-020/names/evm'],
    'payment-identifier',
    withInfo({ required: false }),
  ),
  echoes('has one name for all', ['EXT-ID-020/different/evm'], 'payment-identifier', withInfo({ id: 'a'.repeat(16) })),
  echoes(
    'has a name for every try',
    ['EXT-ID-020/same/evm'],
    'payment-identifier',
    withInfo(() => ({ id: `try_${Math.random().toString(36).slice(2).padEnd(16, '0')}` })),
  ),

  echoes('names another app', ['EXT-CODE-004/services/evm'], 'builder-code', withInfo({ a: 'another' })),
  echoes(
    'puts services behind those of the seller',
    ['EXT-CODE-004/services/evm'],
    'builder-code',
    withInfo(({ s }) => ({ s: [...s, 'last_one'] })),
  ),

  relies('relies on no signed receipt', ['EXT-OFFER-012/payee/evm'], false),
  relies(
    'relies on whatever is signed',
    [
      'EXT-OFFER-012/stranger/evm',
      'EXT-OFFER-011/more/evm',
      'EXT-OFFER-013/future/evm',
      'EXT-OFFER-020/url/evm',
      'EXT-OFFER-023/other-jwk/evm',
      'EXT-OFFER-020/network/evm',
      'EXT-OFFER-020/payer/evm',
      'EXT-OFFER-020/transaction/evm',
      'EXT-OFFER-010/signature/evm',
    ],
    true,
  ),
  mutant('fetches what the name of a key says', ['EXT-OFFER-015/kid/evm'], {
    after: async (answer) => {
      const required = answer?.headers.get('payment-required')
      if (required) await visit(JSON.parse(Buffer.from(required, 'base64').toString()))
      return undefined
    },
  }),
  echoes('echoes signed offers', ['EXT-OFFER-021/echo/evm'], 'offer-receipt', (_, announced) => announced),

  mutant('signs another text than it sends', ['EXT-SIGN-020/text/evm', 'EXT-SIGN-020/plain/evm'], {
    proves: (proof) => ({ ...proof, nonce: '1'.repeat(32) }),
  }),
  mutant('never signs in', ['EXT-SIGN-020/text/evm', 'EXT-SIGN-022/chain/evm', 'EXT-SIGN-025/once/evm'], {
    drops: 'sign-in-with-x',
  }),
  takes(
    'signs in for whatever server asks',
    ['EXT-SIGN-021/domain/evm', 'EXT-SIGN-021/origin/evm'],
    (found, { host, href }) => ({ ...found, info: { ...found.info, domain: host, uri: href } }),
  ),
  takes('signs in whatever it is asked for', ['EXT-SIGN-022/type/evm'], (found) => ({
    ...found,
    supportedChains: found.supportedChains.map((chain: Json) => ({ ...chain, type: 'eip191' })),
  })),
  mutant('names another chain than is listed', ['EXT-SIGN-022/chain/evm'], {
    proves: (proof) => ({ ...proof, chainId: 'eip155:10' }),
  }),
  takes('signs line breaks', ['EXT-SIGN-013/statement/evm'], (found) => ({
    ...found,
    info: { ...found.info, statement: found.info.statement?.replaceAll('\n', ' ') },
  })),
  echoes('echoes challenges to sign in', ['EXT-SIGN-023/echo/evm'], 'sign-in-with-x', (_, announced) => announced),
  mutant('follows redirects with its proof', ['EXT-021/redirect/evm'], {
    after: async (answer, { headers, again }) =>
      answer?.status === 307 && headers.has('sign-in-with-x')
        ? again({ url: answer.headers.get('location') ?? '' })
        : undefined,
  }),
  mutant('signs in again and again', ['EXT-SIGN-025/once/evm'], {
    after: async (answer, { headers, again }) =>
      answer?.status === 401 && headers.has('sign-in-with-x') ? again() : undefined,
  }),
]
