import { isObject, jsonIn } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail, notApplicable } from '../model/finding.js'
import { parseJson } from '../model/json.js'
import { expectMessage } from '../spec/messages.js'
import { ownSchemaProblem } from '../spec/own-schema.js'
import { canonical } from '../wire/canonical.js'
import { decodeHeader, encodeHeader } from '../wire/messages.js'
import { extensionIn, needExtension, origin, paymentFor } from './extended.js'
import { connectMcp } from './mcp-calls.js'
import { serverCheck } from './offers.js'
import { expectDelivered, offersIn, type ServerStage } from './stage.js'

/** What a payer says of what it buys. */
export const payersWords = 'kitwords of a payer'

type Members = Readonly<Record<string, unknown>>

const key = 'bazaar'
const listed = 'listed'
const described = 'described'
const url = `${origin}/conformance/${described}`

/** How servers are told that something of theirs is described: what must not begin a line, a heading or a link. */
export const words = 'kitwords of somebody\n# kitheading\n- kititem\n[kitlink](https://evil.example/)'

/** The documents, and what is in each of them that is one. */
const documents = {
  '/openapi.json': /"openapi"/,
  '/.well-known/x402': /"x402Version"/,
  '/.well-known/agent-card.json': /"skills"/,
  '/llms.txt': /^# /m,
} as const

/** A document, when it is there. A target that claims to describe itself has to have it; some servers answer every path alike. */
async function documentAt(stage: ServerStage, path: keyof typeof documents): Promise<string> {
  const { status, text } = await stage.http.send({ url: stage.url(described), path })
  if (status === 200 && documents[path].test(text)) return text
  if (stage.claims(described)) fail(`${path} is not there`, 200, status)
  notApplicable(`the target has no ${path}`)
}

async function jsonAt(stage: ServerStage, path: keyof typeof documents): Promise<Members> {
  const found = parseJson(await documentAt(stage, path))
  expectThat(isObject(found), path, 'an object of JSON', found)
  return found
}

/** The operation of the route in the OpenAPI document. */
async function operationOf(stage: ServerStage): Promise<Members> {
  const { paths } = await jsonAt(stage, '/openapi.json')
  const path = isObject(paths) ? paths[`/conformance/${described}`] : undefined
  const found = isObject(path) ? path.get : undefined
  expectThat(isObject(found), '/openapi.json', `get of /conformance/${described}`, paths)
  return found
}

/** The item of the route in the manifest, and the URLs of the manifest. */
async function itemOf(stage: ServerStage): Promise<{ readonly item: Members; readonly resources: readonly unknown[] }> {
  const manifest = await jsonAt(stage, '/.well-known/x402')
  expectMessage('extensions/SiteManifest', manifest)
  const { items, resources } = manifest
  const all: readonly unknown[] = Array.isArray(items) ? items : []
  const item = all.filter(isObject).find(({ resource }) => (isObject(resource) ? resource.url : resource) === url)
  expectThat(item !== undefined, '`items` of /.well-known/x402', `one for ${url}`, items)
  return { item, resources: Array.isArray(resources) ? resources : [] }
}

/** What counts about offers, in one order. */
const termsOf = (offers: unknown): readonly string[] =>
  (Array.isArray(offers) ? offers : [])
    .filter(isObject)
    .map(({ scheme, network, asset, payTo, amount }) => canonical({ scheme, network, asset, payTo, amount }))
    .sort()

/** The offers of the live 402. */
async function live(stage: ServerStage): Promise<readonly string[]> {
  const terms = termsOf(offersIn(await stage.ask(described)))
  expectThat(terms.length > 0, `/conformance/${described}`, '402 with offers', terms)
  return terms
}

/** Announcements of the route, by the method that it is asked by. */
async function announcements(stage: ServerStage): Promise<readonly (readonly [method: string, block: Members])[]> {
  const found: (readonly [string, Members])[] = [['GET', (await needExtension(stage, listed, key)).announced]]
  const headers = { 'content-type': 'application/json' }
  const answer = await stage.ask(listed, headers, 'POST', '{}')
  const posted = extensionIn(decodeHeader(answer.headers['payment-required']), key)
  return posted === undefined ? found : [...found, ['POST', posted]]
}

const eachAnnounced = (
  id: string,
  title: string,
  expect: (block: Members, method: string) => void,
): Check<ServerStage> =>
  serverCheck(id, title, async (stage) => {
    for (const [method, block] of await announcements(stage)) expect(block, method)
  })

const inputOf = ({ info }: Members): Members => (isObject(info) && isObject(info.input) ? info.input : {})

/** What a server says of how its things are called (`bazaar`), and what it publishes about itself. */
export const descriptionChecks: readonly Check<ServerStage>[] = [
  eachAnnounced('BAZAAR-001/schema', '`info` is what its own `schema` says', ({ info, schema }) => {
    expectThat(isObject(schema), '`schema`', 'a JSON Schema', schema)
    expectSame('what `info` breaks of `schema`', undefined, ownSchemaProblem(schema, info))
  }),
  eachAnnounced('BAZAAR-002/method', 'the method of the request is named', (block, method) => {
    expectSame('info.input.method', method, inputOf(block).method)
  }),
  eachAnnounced('BAZAAR-003/size', 'a declaration has less than 4,096 characters', (block) => {
    const { length } = JSON.stringify(block)
    expectThat(length < 4_096, 'characters of the declaration', 'less than 4,096', length)
  }),
  eachAnnounced('BAZAAR-005/form', '`info` has one of the published forms', ({ info }) => {
    const isTool = isObject(info) && isObject(info.input) && info.input.type === 'mcp'
    expectMessage(isTool ? 'extensions/BazaarToolInfo' : 'extensions/BazaarHttpInfo', info)
  }),
  serverCheck('BAZAAR-006/vouched', 'what the server vouches for it has written itself', async (stage) => {
    const found = await needExtension(stage, listed, key)
    const { announced } = found
    const strange = { description: payersWords, serviceName: payersWords, tags: [payersWords] }
    const resource = { ...found.resource, ...strange }
    const payer = await stage.rail.payer(1_000_000n)
    const payment = await paymentFor(stage, { ...found, resource }, payer, { [key]: announced })
    expectDelivered(await stage.ask(listed, { 'PAYMENT-SIGNATURE': encodeHeader(payment) }))
    const vouched = stage.facilitator.asked().filter((asked) => asked.vouched.includes(key))
    if (vouched.length === 0) notApplicable('the target vouches for nothing')
    for (const { body } of vouched) {
      const { paymentPayload: sent } = body
      const block = extensionIn(sent, key)
      expectSame('the block that it vouches for', canonical(announced), canonical(block))
      const said = isObject(sent) ? sent.resource : undefined
      expectThat(!canonical(said).includes(payersWords), 'the resource that it vouches for', found.resource, said)
    }
  }),
  serverCheck('BAZAAR-004/tool', 'a tool is named as `tool` and as `toolName`', async (stage) => {
    const mcp = await connectMcp(stage, listed)
    const { structuredContent } = await mcp.call(listed)
    const block = extensionIn(structuredContent, key)
    if (block === undefined) notApplicable(`the challenge of the tool ${listed} does not announce ${key}`)
    const { tool, toolName } = inputOf(block)
    expectSame('tool and toolName', [listed, listed], [tool, toolName])
    expectMessage('extensions/BazaarToolInfo', block.info)
  }),

  serverCheck('DESC-001/same', 'the documents say what the 402 says', async (stage) => {
    const [operation, { item }, offers] = [await operationOf(stage), await itemOf(stage), await live(stage)]
    const { accepts } = isObject(operation['x-x402']) ? operation['x-x402'] : {}
    expectSame('offers in /openapi.json', offers, termsOf(accepts))
    expectSame('offers in /.well-known/x402', offers, termsOf(item.accepts))
    const text = await documentAt(stage, '/llms.txt')
    expectThat(text.includes(`/conformance/${described}`), '/llms.txt', `/conformance/${described}`, text)
  }),
  serverCheck('DESC-002/openapi', 'operations have hints of what they cost, and describe 402', async (stage) => {
    const operation = await operationOf(stage)
    for (const name of ['x-payment-info', 'x-x402'])
      expectThat(isObject(operation[name]), name, 'an object', operation[name])
    const { responses } = operation
    expectThat(isObject(responses) && isObject(responses['402']), '`responses`', 'one for 402', responses)
  }),
  serverCheck('DESC-003/manifest', 'the manifest has URLs, and whole offers', async (stage) => {
    const { item, resources } = await itemOf(stage)
    expectThat(resources.includes(url), '`resources` of /.well-known/x402', url, resources)
    expectThat(termsOf(item.accepts).length > 0, '`accepts` of the item', 'whole offers', item.accepts)
  }),
  serverCheck('DESC-004/card', 'an agent card is there for an A2A endpoint', async (stage) => {
    const card = await jsonAt(stage, '/.well-known/agent-card.json')
    const { supportedInterfaces } = card
    const [first] = Array.isArray(supportedInterfaces) ? supportedInterfaces.filter(isObject) : [card]
    const endpoint = String(first?.url)
    expectThat(URL.canParse(endpoint), 'the endpoint that the card names', 'a URL', endpoint)
    const answer = await stage.http.send({
      method: 'POST',
      url: stage.url(described),
      path: new URL(endpoint).pathname,
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'GetTask', params: { id: 'nosuch' } }),
    })
    const said = jsonIn(answer)
    expectSame('what speaks at the endpoint that the card names', '2.0', isObject(said) ? said.jsonrpc : answer.status)
  }),
  serverCheck('DESC-005/llms', 'words of others begin no line, no heading and no link in llms.txt', async (stage) => {
    const text = await documentAt(stage, '/llms.txt')
    if (!text.includes('kitwords')) notApplicable('llms.txt does not hold the words that the target was told')
    const wrong = text
      .split(/\r\n|[\n\r\u2028\u2029]/)
      .find((line) => /^[\s>#*+-]*\[?kit(heading|item|link)/.test(line))
    expectSame('a line that begins with words of others', undefined, wrong)
    expectThat(!/\]\(https:\/\/evil|<https:\/\/evil/.test(text), 'llms.txt', 'no link of others', text)
  }),
]
