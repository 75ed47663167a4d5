import { randomBytes } from 'node:crypto'
import type { Mutant } from './facilitators.js'
import { asSaid, type Fault, type Json, type Passing, type Said, saying } from './middle.js'

export type { Json } from './middle.js'

/** A broken server: what it does with requests, and with what its facilitator says. */
export type ServerMutant = Mutant & { readonly behind?: () => Fault }

/** What is sold. */
export const secret = { resource: 'groat-conformance-secret' }
export const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')
export const decode = (value: unknown): Json => {
  const text = String(value)
  for (let cut = 0; cut < 7 && cut < text.length; cut++) {
    try {
      const bytes = Buffer.from(text.slice(0, text.length - cut), 'base64')
      return JSON.parse(bytes.toString().replace(/^\ufeff/, ''))
    } catch {
      // A little less, perhaps.
    }
  }
  return undefined
}
export const headerOf = ({ headers }: Passing): string | undefined => {
  const value = headers['payment-signature']
  return typeof value === 'string' || value === undefined ? value : value[0]
}
export const receipt = encode({ success: true, transaction: `0x${'1'.repeat(64)}`, network: 'eip155:84532', payer: '' })
export const deliver = { json: secret, headers: { 'payment-response': receipt, 'cache-control': 'private' } }
export const isPaidRoute = ({ path }: Passing) => path.startsWith('/conformance/') && !path.includes('hits')

/** Changes its offers. */
export const offers = (name: string, kills: readonly string[], change: (offers: Json) => unknown): ServerMutant => ({
  name,
  kills,
  fault: () => async (_, forward) => {
    const said = await forward()
    const found = decode(said.headers['payment-required'])
    if (found === undefined) return asSaid(said)
    return asSaid({ ...said, headers: { ...said.headers, 'payment-required': encode(change(found)) } })
  },
})

/** Changes what is announced under a key, or takes it away. */
export const announces = (name: string, kills: readonly string[], key: string, change: (extension: Json) => Json) =>
  offers(name, kills, (message) => {
    const found = message.extensions?.[key]
    return found === undefined ? message : { ...message, extensions: { ...message.extensions, [key]: change(found) } }
  })

export const withInfo = (change: (info: Json) => Json) => (extension: Json) => ({
  ...extension,
  info: change(extension.info),
})

export const eachOffer = (change: (offer: Json) => unknown) => (message: Json) => ({
  ...message,
  accepts: message.accepts.map(change),
})

/** Changes its answers. */
export const answers = (
  name: string,
  kills: readonly string[],
  change: (said: Said, passing: Passing) => Said,
): ServerMutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => asSaid(change(await forward(), passing)),
})

export const withHeader = (said: Said, name: string, value: string | undefined): Said => {
  const { [name]: _, ...rest } = said.headers
  return { ...said, headers: value === undefined ? rest : { ...rest, [name]: value } }
}

/** Delivers to whoever presents a payment like this, whatever it is worth. */
export const delivers = (
  name: string,
  kills: readonly string[],
  when: (payment: Json, passing: Passing) => boolean,
): ServerMutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => {
    const payment = decode(headerOf(passing) ?? '')
    return payment !== undefined && when(payment, passing) ? deliver : asSaid(await forward())
  },
})

/** Reads payments more kindly than it may. */
export const hears = (
  name: string,
  kills: readonly string[],
  change: (header: string, passing: Passing) => string | undefined,
): ServerMutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => {
    const header = headerOf(passing)
    const changed = header === undefined ? undefined : change(header, passing)
    if (changed === undefined) return asSaid(await forward())
    return asSaid(await forward({ headers: { ...passing.headers, 'payment-signature': changed } }))
  },
})

/** Counts work that it does beside what the honest server does. */
export const works = (
  name: string,
  kills: readonly string[],
  when: (passing: Passing, count: () => void) => Promise<void>,
): ServerMutant => ({
  name,
  kills,
  fault: () => {
    let more = 0
    return async (passing, forward) => {
      if (passing.path.includes('hits')) {
        const said = await forward()
        return saying(said, { hits: { ...said.json.hits, paid: (said.json.hits.paid ?? 0) + more } })
      }
      await when(passing, () => {
        more += 1
      })
      return asSaid(await forward())
    }
  },
})

/** Changes what the facilitator is asked, or what it said. */
export const behind = (name: string, kills: readonly string[], fault: () => Fault): ServerMutant => ({
  name,
  kills,
  fault: () => async (_, forward) => asSaid(await forward()),
  behind: fault,
})

export const says = (
  name: string,
  kills: readonly string[],
  change: (json: Json, status: number) => Json | undefined,
): ServerMutant =>
  behind(name, kills, () => async ({ path }, forward) => {
    if (path !== '/settle' && path !== '/verify') return asSaid(await forward())
    try {
      const said = await forward()
      const changed = change(said.json, said.status)
      return changed === undefined ? asSaid(said) : saying(said, changed, 200)
    } catch {
      const changed = change(undefined, 0)
      return changed === undefined ? 'close' : { json: changed }
    }
  })

export const good = (json: Json) => ({
  success: true,
  transaction: `0x${randomBytes(32).toString('hex')}`,
  network: 'eip155:84532',
  ...(json?.payer ? { payer: json.payer } : {}),
})
