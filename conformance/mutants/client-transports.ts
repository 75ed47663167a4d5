import type { MutantOver, OverFault } from './client-over.js'

// biome-ignore lint/suspicious/noExplicitAny: a mutant spoils whatever it finds.
type Json = any

const mutant = (name: string, kills: readonly string[], fault: OverFault): MutantOver => ({ name, kills, fault })

/** Changes the calls of tools that it pays for. */
const pays = (name: string, kills: readonly string[], change: (params: Json) => Json) =>
  mutant(name, kills, {
    asks: (message) =>
      message.params?._meta?.['x402/payment'] === undefined ? message : { ...message, params: change(message.params) },
  })

const withMeta = (change: (meta: Json) => Json) => (params: Json) => ({ ...params, _meta: change(params._meta) })

/** Hears other results of tools. */
const hears = (name: string, kills: readonly string[], change: (result: Json) => Json) =>
  mutant(name, kills, {
    hears: (message) =>
      message.result?.content === undefined ? message : { ...message, result: change(message.result) },
  })

/** Hears other errors. */
const hearsErrors = (name: string, kills: readonly string[], change: (error: Json) => Json) =>
  mutant(name, kills, {
    hears: (message) => (message.error === undefined ? message : { ...message, error: change(message.error) }),
  })

const cheaper = (text: string) => JSON.parse(text.replaceAll(/("amount\\?":\\?")\d+/g, '$11'))

/** Signs again when an answer is lost, or asks to be paid again. */
const signsAgain: OverFault = {
  after: async (answer, { body, again }) => {
    if (!/x402\/payment|payment\.payload/.test(body)) return undefined
    const text = await answer?.clone().text()
    if (text !== undefined && !text.includes('accepts')) return undefined
    // What it signs is another payment.
    return again({ body: body.replace(/"nonce":"0x.{4}/, '"nonce":"0xabcd') })
  },
}

const called = (name: string, kills: readonly string[], change: (result: Json) => Json) =>
  mutant(name, kills, {
    called: (answer) => ('ok' in answer ? { ok: { result: change(answer.ok.result) } } : answer),
  })

/** Broken in how they pay for tools (MCP). */
const mcp: readonly MutantOver[] = [
  pays(
    'pays for tools in base64',
    ['MCP-030/meta/evm'],
    withMeta((meta) => ({ 'x402/payment': Buffer.from(JSON.stringify(meta['x402/payment'])).toString('base64') })),
  ),
  pays(
    'pays for tools under a key of before',
    ['MCP-030/meta/evm'],
    withMeta((meta) => ({ 'x402.payment': meta['x402/payment'] })),
  ),
  pays('pays for other calls than it made', ['MCP-030/meta/evm'], (params) => ({ ...params, arguments: {} })),
  called('drops a part of what was paid for', ['MCP-031/whole/evm'], ({ structuredContent: _, ...result }) => result),
  called('makes faults of results', ['MCP-032/unchanged/evm'], (result) => ({ ...result, isError: true })),
  hears('pays for tools whatever they cost', ['MCP-033/limit/evm'], (result) => cheaper(JSON.stringify(result))),
  hears('pays for tools that it did not call', ['MCP-033/other-tool/evm'], (result) =>
    JSON.parse(JSON.stringify(result).replaceAll('mcp://tool/another', 'mcp://tool/paid')),
  ),
  hears('pays for what it has', ['MCP-033/not-an-error/evm'], (result) =>
    result.structuredContent?.accepts ? { ...result, isError: true } : result,
  ),
  mutant('signs again for tools', ['MCP-035/lost/evm', 'MCP-035/again/evm'], signsAgain),
  hearsErrors(
    'reads no offers in errors',
    ['MCP-038/code-32042/evm', 'MCP-038/code-402/evm', 'MCP-038/in-x402/evm'],
    (error) => ({ ...error, code: -32_000 }),
  ),
  hearsErrors(
    'reads offers in errors at one place',
    ['MCP-038/in-x402/evm'],
    ({ data: { x402: _, ...data }, ...error }) => ({
      ...error,
      data,
    }),
  ),
  hears('knows offers by a word', ['MCP-039/words/evm'], (result) =>
    result.isError && !JSON.stringify(result).includes('payment_required')
      ? { isError: true, content: [{ type: 'text', text: 'broken' }] }
      : result,
  ),
  hears('does not read texts', ['MCP-039/text/evm'], (result) => ({ ...result, content: [] })),
  pays(
    'pays old servers under the new key',
    ['MCP-040/version-1/evm'],
    withMeta(({ 'x402.payment': _, ...meta }) => meta),
  ),
]

/** Changes messages to agents. */
const says = (name: string, kills: readonly string[], change: (message: Json) => Json) =>
  mutant(name, kills, {
    asks: (asked) =>
      asked.params?.message === undefined
        ? asked
        : { ...asked, params: { ...asked.params, message: change(asked.params.message) } },
  })

const told = (name: string, kills: readonly string[], change: (task: Json) => Json) =>
  mutant(name, kills, { told: (answer) => ('ok' in answer ? { ok: change(answer.ok) } : answer) })

/** Broken in how they pay agents (A2A). */
const a2a: readonly MutantOver[] = [
  says('pays agents under a key of its own', ['A2A-030/submitted/evm', 'A2A-031/task/evm'], (message) => {
    const { 'x402.payment.payload': payment, ...metadata } = message.metadata ?? {}
    return { ...message, metadata: payment === undefined ? message.metadata : { ...metadata, payment } }
  }),
  says('pays agents in a task of its own', ['A2A-030/submitted/evm'], ({ taskId: _, ...message }) => message),
  says('does not say that it has paid', ['A2A-030/submitted/evm'], (message) =>
    message.metadata?.['x402.payment.payload'] === undefined
      ? message
      : { ...message, metadata: { 'x402.payment.payload': message.metadata['x402.payment.payload'] } },
  ),
  told('drops what an agent made', ['A2A-031/task/evm', 'A2A-037/free/evm'], (task) => ({ ...task, texts: [] })),
  mutant('pays agents whatever they ask', ['A2A-032/limit/evm'], {
    hears: (message) => cheaper(JSON.stringify(message)),
  }),
  mutant('signs again for agents', ['A2A-034/lost/evm'], signsAgain),
  says('leaves agents waiting', ['A2A-035/rejected/evm'], (message) =>
    message.metadata?.['x402.payment.status'] === 'payment-rejected' ? { ...message, metadata: {} } : message,
  ),
  mutant('asks agents for no extension', ['A2A-036/asked/evm'], { drops: 'a2a-extensions' }),
]

/** Broken in how they pay over other transports than HTTP. */
export const clientTransportMutants: readonly MutantOver[] = [...mcp, ...a2a]
