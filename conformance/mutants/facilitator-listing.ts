import { connect } from 'node:net'
import type { Mutant } from './facilitators.js'
import { asSaid, type Passing, type Said, saying } from './middle.js'

// biome-ignore lint/suspicious/noExplicitAny: a mutant spoils whatever it finds.
type Json = any

const isAsked = ({ path }: Passing, name: string) => path.startsWith(`/discovery/${name}`)
const paymentIn = (passing: Passing): Json => (passing.json as Json)?.paymentPayload
const payeeIn = (passing: Passing): string => String((passing.json as Json)?.paymentRequirements?.payTo).toLowerCase()
const payeeOf = (item: Json): string => String(item.accepts?.[0]?.payTo).toLowerCase()

const mutant = (name: string, kills: readonly string[], fault: Mutant['fault']): Mutant => ({ name, kills, fault })

/** Changes the list, knowing what was paid for: payments to an account in their order. */
const lists = (
  name: string,
  kills: readonly string[],
  change: (items: readonly Json[], paid: (item: Json) => readonly Json[]) => readonly Json[],
  remembers: readonly string[] = ['/settle'],
): Mutant =>
  mutant(name, kills, () => {
    const known = new Map<string, readonly Json[]>()
    return async (passing, forward) => {
      if (remembers.includes(passing.path)) {
        const payee = payeeIn(passing)
        known.set(payee, [...(known.get(payee) ?? []), paymentIn(passing)])
      }
      const said = await forward()
      if (!isAsked(passing, 'resources') || !Array.isArray(said.json?.items)) return asSaid(said)
      const asked = new URLSearchParams(passing.path.split('?')[1]).get('payTo')?.toLowerCase() ?? ''
      const paid = (item: Json) => known.get(item === undefined ? asked : payeeOf(item)) ?? []
      return saying(said, { ...said.json, items: change(said.json.items, paid) })
    }
  })

/** Connects to whatever a payment names on this machine. */
const visits = (name: string, kills: readonly string[], named: (payment: Json) => unknown): Mutant =>
  mutant(name, kills, () => async (passing, forward) => {
    const port = /^http:\/\/127\.0\.0\.1:(\d+)/.exec(String(named(paymentIn(passing))))?.[1]
    if (passing.path === '/settle' && port !== undefined) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1')
        socket.on('error', () => {})
        socket.on('close', () => resolve())
      })
    }
    return asSaid(await forward())
  })

const changed = (said: Said, change: (headers: Said['headers']) => Said['headers']) =>
  asSaid({ ...said, headers: change(said.headers) })

/** Broken in what they list, and in what they make of what payments say of their payers. */
export const listingMutants: readonly Mutant[] = [
  lists('lists origins and no paths', ['BAZAAR-010/place/evm'], (items) =>
    items.map((item) => ({ ...item, resource: `${new URL(item.resource).origin}/` })),
  ),
  lists('follows templates wherever they lead', ['BAZAAR-010/template/evm'], (items, paid) =>
    items.map((item) => {
      const template = paid(item)[0]?.extensions?.bazaar?.routeTemplate
      return template === undefined ? item : { ...item, resource: new URL(template, item.resource).href }
    }),
  ),
  lists('takes all tools of an endpoint for one', ['BAZAAR-011/tools/evm'], (items) =>
    items.filter((item, at) => at === items.findIndex((each) => each.resource === item.resource)),
  ),
  lists('reads the name of a tool from one member', ['BAZAAR-011/tools/evm'], (items) =>
    items.filter((item) => !JSON.stringify(item).includes('kit_two')),
  ),
  visits('resolves the schemas of payments', ['BAZAAR-012/schema/evm'], (payment) => {
    return payment?.extensions?.bazaar?.schema?.$schema
  }),
  lists('lists declarations of any size', ['BAZAAR-013/size/evm'], (items, paid) =>
    items.length > 0 || paid(undefined).length === 0
      ? items
      : [{ accepts: [{ payTo: paid(undefined)[0].accepted.payTo }], said: paid(undefined)[0].extensions?.bazaar }],
  ),
  lists('shows what payments say', ['BAZAAR-014/words/evm', 'BAZAAR-037/words/evm'], (items, paid) =>
    items.map((item) => ({ ...paid(item)[0]?.resource, ...item })),
  ),
  mutant(
    'does not say why it lists nothing',
    ['BAZAAR-015/said/evm'],
    () => async (_, forward) => changed(await forward(), ({ 'extension-responses': _, ...headers }) => headers),
  ),
  lists('lists nothing of version 1', ['BAZAAR-016/version-1/evm'], (items) =>
    items.filter(({ x402Version }) => x402Version !== 1),
  ),
  lists(
    'lists what was verified',
    ['BAZAAR-030/verified/evm'],
    (items, paid) =>
      items.length > 0 || paid(undefined).length === 0
        ? items
        : [{ resource: paid(undefined)[0].resource.url, accepts: [{ payTo: paid(undefined)[0].accepted.payTo }] }],
    ['/verify'],
  ),
  visits('fetches what payments name', ['BAZAAR-031/fetched/evm'], (payment) => payment?.resource?.url),
  mutant('adds accounts to listings of others', ['BAZAAR-032/recipient/evm'], () => {
    const paid: Json[] = []
    return async (passing, forward) => {
      if (passing.path === '/settle') paid.push(paymentIn(passing))
      const said = await forward()
      if (!isAsked(passing, 'resources') || !Array.isArray(said.json?.items)) return asSaid(said)
      const items = said.json.items.map((item: Json) => {
        const others = paid.filter(({ resource }) => resource?.url === item.resource).map(({ accepted }) => accepted)
        return { ...item, accepts: [...item.accepts, ...others] }
      })
      return saying(said, { ...said.json, items })
    }
  }),
  mutant('says that everything is listed', ['BAZAAR-050/why/evm'], () => async (passing, forward) => {
    const said = await forward()
    return isAsked(passing, 'why') ? saying(said, { ...said.json, listed: true }) : asSaid(said)
  }),
  mutant(
    'begins every page of a search anew',
    ['BAZAAR-025/cursor/evm'],
    () => async (passing, forward) => asSaid(await forward({ path: passing.path.replace(/&cursor=.*/, '') })),
  ),
  mutant(
    'does not look who pays',
    ['EXT-COMPLY-005/unreadable/evm', 'EXT-COMPLY-005/lacking/evm'],
    () => async (passing, forward) => {
      const { paymentPayload } = (passing.json as Json) ?? {}
      if (paymentPayload?.extensions?.['groat-compliance'] === undefined) return asSaid(await forward())
      const json = { ...(passing.json as Json), paymentPayload: { ...paymentPayload, extensions: {} } }
      return asSaid(await forward({ json }))
    },
  ),
  mutant('takes no payer that says who it is', ['EXT-COMPLY-005/said/evm'], () => async (passing, forward) => {
    const said = await forward()
    return paymentIn(passing)?.extensions?.['groat-compliance'] !== undefined && passing.path === '/verify'
      ? saying(said, { isValid: false, invalidReason: 'compliance_required', payer: '' })
      : asSaid(said)
  }),
]
