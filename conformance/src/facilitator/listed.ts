import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { isObject, objectIn } from '../http/exchange.js'
import { watch } from '../http/watch.js'
import { expectSame, expectThat, notApplicable } from '../model/finding.js'
import { decodeHeader } from '../wire/messages.js'
import { expectSettled, expectValid, type Receipt } from './answers.js'
import { isSame, nameOf, offersOf, page } from './catalogue.js'
import { type FacilitatorCheck, facilitatorChecksWith } from './check.js'
import type { FacilitatorStage, Scene } from './stage.js'

type Members = Readonly<Record<string, unknown>>

/** What is sold, as a payment declares it. */
type Goods = {
  readonly resource?: Members
  readonly bazaar?: Members
  /** Whom to pay; somebody new unless told. */
  readonly payTo?: string
}

const check = facilitatorChecksWith({ families: ['evm', 'svm'], once: true })

/** A place of the kit's own, which nobody else sells. */
const newOrigin = () => `https://kit-${randomBytes(8).toString('hex')}.example`

const http = { info: { input: { type: 'http', method: 'GET' } }, schema: { type: 'object' } }
const tool = (names: Members) => ({
  info: { input: { type: 'mcp', inputSchema: { type: 'object' }, ...names } },
  schema: { type: 'object' },
})

async function payFor(stage: FacilitatorStage, { resource = {}, bazaar = http, payTo }: Goods): Promise<Scene> {
  const scene = await stage.scene(payTo === undefined ? {} : { terms: { payTo } })
  return { ...scene, payment: { ...scene.payment, resource, extensions: { bazaar } } }
}

/** Sells something and gives what the facilitator said of it. A facilitator that keeps no catalogue is not asked. */
async function sell(
  stage: FacilitatorStage,
  goods: Goods,
): Promise<{ readonly payTo: string; readonly receipt: Receipt }> {
  await page(stage, '?limit=1')
  const scene = await payFor(stage, goods)
  const receipt = await stage.settle(scene.payment, scene.requirements)
  expectSettled(receipt, 'a payment that declares what it is for')
  return { payTo: scene.terms.payTo, receipt }
}

/** What is listed for an account. */
async function rowsOf(stage: FacilitatorStage, payTo: string): Promise<readonly Members[]> {
  const filtered = await page(stage, `?limit=20&payTo=${encodeURIComponent(payTo)}`)
  const { pagination, unappliedFilters } = filtered.body
  const total = isObject(pagination) ? Number(pagination.total) : 0
  // Whoever does not know the filter lists the newest last.
  const { items } =
    unappliedFilters === undefined ? filtered : await page(stage, `?limit=100&offset=${Math.max(0, total - 100)}`)
  return items.filter(isObject).filter((item) => offersOf(item).some((offer) => isSame(offer.payTo, payTo)))
}

/** Waits until so many things are listed for an account. Where nothing is, it is asked whether anything of the kit's would be. */
async function listed(stage: FacilitatorStage, payTo: string, wanted = 1): Promise<readonly Members[]> {
  const rows = await waitFor(stage, payTo, wanted)
  if (rows.length === 0) await settleDown(stage)
  return rows
}

/** Catalogues are written behind the back of payments. */
async function waitFor(stage: FacilitatorStage, payTo: string, wanted = 1): Promise<readonly Members[]> {
  const until = performance.now() + 5_000
  for (;;) {
    const rows = await rowsOf(stage, payTo)
    if (rows.length >= wanted || performance.now() > until) return rows
    await pause(100)
  }
}

/** Sells something plain and waits until it is listed: what was sold before is listed by then, or will not be. */
async function settleDown(stage: FacilitatorStage): Promise<void> {
  const { payTo } = await sell(stage, { resource: { url: `${newOrigin()}/plain` } })
  if ((await waitFor(stage, payTo)).length === 0) notApplicable('the facilitator does not list what the kit sells')
}

const templates = ['//evil.example/x', '/%2e%2e/%2e%2e/x', '/a/%252e%252e/b', 'https://evil.example/']

/** Whether a path stays where it is, however often it is decoded. */
function staysBelow(url: string): boolean {
  let path = new URL(url).pathname
  for (let times = 0; times < 4; times += 1) {
    if (path.startsWith('//') || path.includes('..') || path.includes('\\')) return false
    try {
      path = decodeURIComponent(path)
    } catch {
      return false
    }
  }
  return true
}

/** Words that nobody else uses. */
const strange = () => `zzqx${randomBytes(6).toString('hex')}`

/** What a facilitator with a catalogue makes of what payments declare (`bazaar`). */
export const listingChecks: readonly FacilitatorCheck[] = [
  check('BAZAAR-010/place', 'what was paid for is listed at its place', async (stage) => {
    const place = `${newOrigin()}/books/one`
    const { payTo } = await sell(stage, { resource: { url: `${place}?day=2#part` } })
    const rows = await listed(stage, payTo)
    expectSame(
      'resources that are listed',
      [place],
      rows.map(({ resource }) => resource),
    )
  }),
  check('BAZAAR-010/template', 'a template does not leave the origin of what was paid for', async (stage) => {
    const origin = newOrigin()
    for (const routeTemplate of templates) {
      const { payTo } = await sell(stage, { resource: { url: `${origin}/a` }, bazaar: { ...http, routeTemplate } })
      for (const { resource } of await listed(stage, payTo)) {
        const url = String(resource)
        const right = URL.canParse(url) && new URL(url).origin === origin && staysBelow(url)
        expectThat(right, `what is listed for the template ${routeTemplate}`, `a path of ${origin}`, resource)
      }
    }
  }),
  check('BAZAAR-011/tools', 'tools of one endpoint are told apart, by either name', async (stage) => {
    const resource = { url: `${newOrigin()}/mcp` }
    const { payTo } = await sell(stage, { resource, bazaar: tool({ tool: 'kit_one' }) })
    await sell(stage, { resource, bazaar: tool({ toolName: 'kit_two' }), payTo })
    const rows = await listed(stage, payTo, 2)
    for (const name of ['kit_one', 'kit_two']) {
      const named = rows.filter((row) => JSON.stringify(row).includes(`"${name}"`))
      expectThat(named.length === 1, `listings of the tool ${name}`, 'one', rows)
    }
  }),
  check('BAZAAR-012/schema', 'schemas that a payment brings are neither resolved nor run', async (stage) => {
    const canary = await watch()
    try {
      const $ref = `http://127.0.0.1:${canary.port}/schema.json`
      const pattern = { type: 'string', pattern: '^(a+)+$' }
      const schema = { $schema: $ref, properties: { input: { $ref }, word: pattern }, allOf: [{ $ref }] }
      const info = { ...http.info, word: `${'a'.repeat(40)}!` }
      await sell(stage, { resource: { url: `${newOrigin()}/a` }, bazaar: { info, schema } })
      await settleDown(stage)
      expectSame('connections to what the schema names', 0, canary.seen())
    } finally {
      await canary.close()
    }
  }),
  check('BAZAAR-013/size', 'a declaration beyond all bounds is not listed as it is', async (stage) => {
    await page(stage, '?limit=1')
    const word = strange()
    const deep = Array.from({ length: 200 }).reduce<unknown>((inner) => ({ inner }), word)
    const large = Object.fromEntries(Array.from({ length: 3_000 }, (_, at) => [`${word}${at}`, { type: 'string' }]))
    for (const schema of [{ deep }, large]) {
      const scene = await payFor(stage, { resource: { url: `${newOrigin()}/a` }, bazaar: { ...http, schema } })
      const { answer } = await stage.settle(scene.payment, scene.requirements)
      expectThat(answer.status < 500, 'a large declaration is a fault of the facilitator', 'an answer', answer.text)
      await settleDown(stage)
      const rows = await rowsOf(stage, scene.terms.payTo)
      expectThat(!JSON.stringify(rows).includes(word), 'a large declaration is listed', 'nothing of it', word)
    }
  }),
  check('BAZAAR-014/words', 'words that break the rules are left out, and the rest is listed', async (stage) => {
    const word = strange()
    const { payTo } = await sell(stage, {
      resource: {
        url: `${newOrigin()}/a`,
        serviceName: `<b>${word}</b>`,
        tags: ['fine', `<i>${word}`],
        iconUrl: `http://127.0.0.1/${word}.png`,
      },
    })
    const rows = await listed(stage, payTo)
    expectSame('listings of what has such words', 1, rows.length)
    const [{ serviceName, tags, iconUrl } = {}] = rows
    const shown = JSON.stringify([serviceName, tags, iconUrl])
    expectThat(
      !/[<>]|127\.0\.0\.1/.test(shown),
      'words with markup, and an address of a private network',
      'left out',
      shown,
    )
  }),
  check('BAZAAR-015/said', 'why a declaration lists nothing is told in EXTENSION-RESPONSES', async (stage) => {
    await settleDown(stage)
    const { receipt } = await sell(stage, { resource: { url: 'ftp://kit.example/a' } })
    const said = decodeHeader(receipt.answer.headers['extension-responses'])
    expectThat(isObject(said) && isObject(said.bazaar), 'EXTENSION-RESPONSES', 'what became of `bazaar`', said)
  }),
  check('BAZAAR-016/version-1', '`outputSchema` of version 1 is read as a declaration', async (stage) => {
    await page(stage, '?limit=1')
    const { payment, requirements, terms } = await stage.scene({ version: 1 })
    const resource = `${newOrigin()}/old`
    const outputSchema = { input: { type: 'http', method: 'GET', discoverable: true }, output: { pages: 1 } }
    const receipt = await stage.settle(payment, { ...requirements, resource, outputSchema })
    expectSettled(receipt, 'a payment of version 1 that declares what it is for')
    const rows = await listed(stage, terms.payTo)
    expectSame(
      'resources that are listed',
      [resource],
      rows.map((row) => row.resource),
    )
  }),
  check('BAZAAR-030/verified', 'a payment that was only verified lists nothing', async (stage) => {
    await page(stage, '?limit=1')
    const scene = await payFor(stage, { resource: { url: `${newOrigin()}/a` } })
    expectValid(await stage.verify(scene.payment, scene.requirements), 'a payment that declares what it is for')
    await settleDown(stage)
    expectSame('listings of it', 0, (await rowsOf(stage, scene.terms.payTo)).length)
  }),
  check('BAZAAR-031/fetched', 'nothing is fetched that a payment names', async (stage) => {
    const canary = await watch()
    try {
      const url = `http://127.0.0.1:${canary.port}/a`
      const words = { url, iconUrl: url, description: url }
      await sell(stage, { resource: words, bazaar: { ...http, routeTemplate: '/b' } })
      await settleDown(stage)
      expectSame('connections to what the payment names', 0, canary.seen())
    } finally {
      await canary.close()
    }
  }),
  check('BAZAAR-032/recipient', 'a payment to another account adds nothing to a listing', async (stage) => {
    const resource = { url: `${newOrigin()}/a` }
    const [first, second] = [await sell(stage, { resource }), await sell(stage, { resource })]
    await listed(stage, second.payTo)
    const rows = await listed(stage, first.payTo)
    const paid = rows.flatMap((row) => offersOf(row).map(({ payTo }) => String(payTo).toLowerCase()))
    expectSame('who is paid by the listing', [first.payTo.toLowerCase()], [...new Set(paid)])
  }),
  check('BAZAAR-037/words', 'the words of a payment are not shown', async (stage) => {
    const word = strange()
    const info = { input: { type: 'http', method: 'GET', queryParams: { [word]: word } }, output: { type: word } }
    const { payTo } = await sell(stage, {
      resource: { url: `${newOrigin()}/a`, description: word, serviceName: word, tags: [word] },
      bazaar: { info, schema: { title: word } },
    })
    const rows = await listed(stage, payTo)
    expectSame('listings of it', 1, rows.length)
    expectThat(!JSON.stringify(rows).includes(word), 'what the payment says of itself is listed', 'no word of it', rows)
  }),
  check('BAZAAR-050/why', 'whether a place is listed is told of any place', async (stage) => {
    const [known, unknown] = [`${newOrigin()}/a`, `${newOrigin()}/b`]
    const { payTo } = await sell(stage, { resource: { url: known } })
    await listed(stage, payTo)
    const told = await Promise.all(
      [known, unknown].map(async (resource) => {
        const url = stage.url(`/discovery/why?resource=${encodeURIComponent(resource)}`)
        return objectIn(await stage.http.send({ url }), 'the answer of GET /discovery/why').listed
      }),
    )
    expectSame('`listed` of a place that is, and of one that is not', [true, false], told)
  }),
  check('BAZAAR-025/cursor', 'a search is paged by a cursor that neither repeats nor hides', async (stage) => {
    const word = strange()
    const places = [1, 2, 3].map((nth) => `${newOrigin()}/${word}/${nth}`)
    for (const url of places) await listed(stage, (await sell(stage, { resource: { url } })).payTo)
    const found: string[] = []
    let cursor: unknown
    for (let pages = 0; pages < 6; pages += 1) {
      const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(String(cursor))}`
      const answer = await stage.http.send({ url: stage.url(`/discovery/search?query=${word}&limit=1${next}`) })
      if ([404, 405, 501].includes(answer.status)) notApplicable('the facilitator has no search')
      const { resources, pagination } = objectIn(answer, 'the answer of GET /discovery/search')
      const items = Array.isArray(resources) ? resources : []
      if (pages === 0 && items.length === 0) notApplicable('the search does not look at paths')
      found.push(...items.map(nameOf))
      cursor = isObject(pagination) ? pagination.cursor : undefined
      if (typeof cursor !== 'string') break
      if (pages === 0) {
        const { payTo } = await sell(stage, { resource: { url: `${newOrigin()}/${word}/4` } })
        await listed(stage, payTo)
      }
    }
    expectSame('what is found twice', found.length, new Set(found).size)
    const missing = places.filter((place) => !found.some((each) => each.includes(place)))
    expectSame('what is not found', [], missing)
  }),
]
