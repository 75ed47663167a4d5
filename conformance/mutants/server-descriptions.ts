import { payersWords, words } from '../src/server/described.js'
import { asSaid } from './middle.js'
import { announces, answers, behind, type Json, type ServerMutant, withInfo } from './server-faults.js'
import { results } from './server-mcp.js'

const key = 'bazaar'

const withInput = (change: object) => withInfo((info) => ({ ...info, input: { ...info.input, ...change } }))

/** Changes the text of a document. */
const documents = (
  name: string,
  kills: readonly string[],
  path: string,
  change: (text: string) => string | undefined,
): ServerMutant =>
  answers(name, kills, (said, passing) => {
    if (passing.path !== path) return said
    const text = change(said.text)
    return text === undefined ? { ...said, status: 404, text: '' } : { ...said, text }
  })

const inJson =
  (change: (document: Json) => Json) =>
  (text: string): string =>
    JSON.stringify(change(JSON.parse(text)))

const openapi = '/openapi.json'
const manifest = '/.well-known/x402'

/** Broken in how they say what they sell. */
export const descriptionMutants: readonly ServerMutant[] = [
  announces('declares what its own schema refuses', ['BAZAAR-001/schema/evm'], key, (block) => ({
    ...block,
    schema: { ...block.schema, required: ['never'] },
  })),
  announces('declares by no schema', ['BAZAAR-001/schema/evm'], key, (block) => ({ ...block, schema: { type: 'no' } })),
  announces('names one method for all', ['BAZAAR-002/method/evm'], key, withInput({ method: 'GET' })),
  announces('declares books', ['BAZAAR-003/size/evm'], key, (block) => ({ ...block, book: 'a'.repeat(4_096) })),
  announces('declares in a form of its own', ['BAZAAR-005/form/evm'], key, withInput({ type: 'rest' })),
  behind('vouches for what payers write', ['BAZAAR-006/vouched/evm'], () => async (passing, forward) => {
    const json = passing.json as Json
    const { resource } = json?.paymentPayload ?? {}
    if (resource === undefined) return asSaid(await forward())
    const paymentPayload = { ...json.paymentPayload, resource: { ...resource, description: payersWords } }
    return asSaid(await forward({ json: { ...json, paymentPayload } }))
  }),
  results('names tools in one way', ['BAZAAR-004/tool/evm'], (result) => {
    const { bazaar, ...extensions } = result.structuredContent?.extensions ?? {}
    if (bazaar === undefined) return result
    const { toolName: _, ...input } = bazaar.info.input
    const block = { ...bazaar, info: { ...bazaar.info, input } }
    return {
      ...result,
      structuredContent: { ...result.structuredContent, extensions: { ...extensions, bazaar: block } },
    }
  }),

  documents('asks another price in its OpenAPI document', ['DESC-001/same/evm'], openapi, (text) =>
    text.replaceAll('"10000"', '"20000"'),
  ),
  documents('asks another price in its manifest', ['DESC-001/same/evm'], manifest, (text) =>
    text.replaceAll('"10000"', '"20000"'),
  ),
  documents('writes prices for itself', ['DESC-002/openapi/evm'], openapi, (text) =>
    text.replaceAll('x-payment-info', 'x-my-prices'),
  ),
  documents('does not describe 402', ['DESC-002/openapi/evm'], openapi, (text) => text.replaceAll('"402"', '"499"')),
  documents(
    'lists URLs without offers',
    ['DESC-003/manifest/evm', 'DESC-001/same/evm'],
    manifest,
    inJson((document) => ({ ...document, items: [] })),
  ),
  documents(
    'lists offers without URLs',
    ['DESC-003/manifest/evm'],
    manifest,
    inJson((document) => ({ ...document, resources: [] })),
  ),
  documents(
    'has a card for an agent that is not there',
    ['DESC-004/card/evm'],
    '/.well-known/agent-card.json',
    (text) => text.replaceAll('/conformance/a2a', '/conformance/nobody'),
  ),
  documents('writes words of others as they come', ['DESC-005/llms/evm'], '/llms.txt', (text) =>
    text.replace(/kitwords.*/, words),
  ),
  documents('has lost its llms.txt', ['DESC-005/llms/evm', 'DESC-001/same/evm'], '/llms.txt', () => undefined),
]
