// What the server that the kit starts sells by the experimental extensions: bound payments, payers that say who they are, and money that is given back.
import type { Facilitator, SchemeClient, SchemeServer } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { complianceFields } from '@groat/extensions/compliance/server'
import { type RefundOptions, refundRequests } from '@groat/extensions/refund/server'
import { boundRequests } from '@groat/extensions/request-binding/server'
import { memorySignIns, signIns } from '@groat/extensions/sign-in-with-x/server'
import type { PaywallOptions } from '@groat/server'
import { paywall } from '@groat/server/hono'
import { createLedger } from '@groat/server/ledger'
import { createRefunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { openMemoryStore } from '@groat/store'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import type { Context, Hono } from 'hono'

/** Its routes. */
export const experimentRoutes: readonly string[] = [
  ...['bound', 'bound-typed', 'fields', 'fields-maybe'],
  ...['refunded', 'refunded-whole', 'refunded-briefly', 'refund-fails', 'refunded-pass'],
]

/** What it is opened with. */
export type Experiments = {
  readonly origin: string
  readonly price: string
  readonly scheme: SchemeServer
  /** Does the work of a route. */
  readonly works: (route: string) => (c: Context) => Response
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Adds the routes. */
export async function addExperiments(
  app: Hono,
  shop: PaywallOptions & { readonly facilitator: Facilitator },
  { origin, price, scheme, works, env }: Experiments,
): Promise<{ close(): Promise<void> }> {
  const seller = { name: 'conformance', country: 'PL' }
  const paid = paywall({ ...shop, origin, extensions: [boundRequests(), complianceFields({ seller })] })
  const bound = (options: true | { readonly headers: string[] }) =>
    paid({ price, extensions: { 'groat-request-binding': options } })
  app.post('/conformance/bound', bound(true), works('bound'))
  app.post('/conformance/bound-typed', bound({ headers: ['content-type'] }), works('bound-typed'))
  const asking = (options: { readonly asks: string[]; readonly required?: boolean }) =>
    paid({ price, extensions: { 'groat-compliance': options } })
  app.get('/conformance/fields', asking({ asks: ['country', 'kind'] }), works('fields'))
  app.get('/conformance/fields-maybe', asking({ asks: ['country'], required: false }), works('fields-maybe'))
  await paid.ready()

  const store = await openMemoryStore()
  const ledger = await createLedger(store)
  const refunds = await createRefunds({
    ledger,
    facilitator: shop.facilitator,
    pays: [payerOf(env)],
    sells: [scheme],
    approveAbove: '$100',
  })
  const claims = await sqlClaims(store, { ledger, refunds })
  const sells: readonly (readonly [string, string, Partial<RefundOptions>])[] = [
    ['refunded', '', {}],
    ['refunded-whole', '-whole', { partial: false }],
    ['refunded-briefly', '-briefly', { windowSeconds: 1 }],
    ['refund-fails', '-fails', { allow: () => Promise.reject(new Error('broken')) }],
    ['refunded-pass', '-pass', {}],
  ]
  for (const [name, suffix, more] of sells) {
    const path = `/.well-known/x402-refund${suffix}`
    const asked = refundRequests({ refunds, origin, path, windowSeconds: 86_400, ...more })
    const isPass = name === 'refunded-pass'
    const sold = paywall({
      ...shop,
      origin,
      store: claims,
      extensions: [asked.extension, ...(isPass ? [signIns({ store: memorySignIns() })] : [])],
    })
    const pass = isPass ? { pass: '1h', extensions: { 'groat-refund': true, 'sign-in-with-x': true } } : {}
    app.get(`/conformance/${name}`, sold({ price, extensions: { 'groat-refund': true }, ...pass }), works(name))
    await sold.ready()
    app.post(path, async (c) => {
      const answer = await asked.answer(c.req.raw)
      // What is in order is paid before it is answered, so that nothing of it happens later.
      while (await refunds.step());
      return answer ?? c.notFound()
    })
  }
  return { close: () => store.close() }
}

/** Who pays refunds: an account of this server's own. */
function payerOf({ X402_SIGNING_KEY = '', X402_SIGNING_JWK = '', ...env }: Experiments['env']): SchemeClient {
  if (env.X402_NETWORK?.startsWith('solana:') !== true)
    return exactEvm({ account: privateKeyAccount(X402_SIGNING_KEY) })
  const { d, x } = JSON.parse(X402_SIGNING_JWK)
  const account = secretKeyAccount(Buffer.concat([d, x].map((part) => Buffer.from(part, 'base64url'))))
  return exactSvm({ account, rpc: env.X402_SVM_RPC_URL ?? '' })
}
