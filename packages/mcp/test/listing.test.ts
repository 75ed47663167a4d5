import { exactEvm } from '@groat/evm/exact/server'
import { bazaar } from '@groat/extensions/bazaar/server'
import { createMemoryClaims, type PaywallOptions } from '@groat/server'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { type McpPaywallOptions, paywall } from '../src/server/index.js'
import { stubFacilitator } from './support/facilitator.js'
import { openShop, SELLER, SERVER, text } from './support/shop.js'

const ENDPOINT = 'https://mcp.example/mcp'

const open = (options: Partial<McpPaywallOptions & PaywallOptions> = {}) =>
  paywall({
    facilitator: stubFacilitator(),
    payTo: { 'base-sepolia': SELLER },
    schemes: [exactEvm],
    store: createMemoryClaims({ singleProcess: true }),
    extensions: [bazaar],
    ...options,
  })
const work = async () => text('sold')
const wrong = (field: string) =>
  expect.objectContaining({ code: 'invalid_config', context: expect.objectContaining({ field }) })

test('BAZAAR-005 BAZAAR-007 a tool declares its name, description and input, at the endpoint of its server', async () => {
  const said = async (inputSchema: Parameters<ReturnType<typeof open>['tool']>[1], also: object = {}) => {
    const { client } = await openShop(
      (server, paid) => void server.registerTool('forecast', {}, paid.tool('forecast', inputSchema, work)),
      { options: { endpoint: SERVER, extensions: [bazaar], ...also } },
    )
    const { structuredContent } = await client.callTool({ name: 'forecast' })
    return structuredContent as { resource: object; extensions?: { bazaar: { info: { input: object } } } }
  }
  const about = { price: '$0.001', description: 'Weather of a city' }
  const on = { extensions: { bazaar: true } }
  const shape = { city: z.string() }
  const properties = { city: { type: 'string' } }
  for (const inputSchema of [shape, z.object(shape), { type: 'object', properties, required: ['city'] }]) {
    const { resource, extensions } = await said({ ...about, ...on, inputSchema })
    expect(resource).toMatchObject({ url: SERVER, description: 'Weather of a city' })
    expect(extensions?.bazaar.info.input).toMatchObject({
      ...{ type: 'mcp', tool: 'forecast', toolName: 'forecast', description: 'Weather of a city' },
      inputSchema: { type: 'object', properties, required: ['city'] },
    })
  }
  const everywhere = { everywhere: { bazaar: true } }
  expect((await said({ ...about, inputSchema: {} }, everywhere)).extensions?.bazaar.info.input).toMatchObject({
    inputSchema: { type: 'object' },
  })
  const tool = { transport: 'sse', inputSchema: { type: 'object' } }
  const told = await said({ ...about, extensions: { bazaar: { tool, output: { type: 'text' } } } })
  expect(told.extensions?.bazaar.info).toMatchObject({ input: { transport: 'sse' }, output: { type: 'text' } })
  expect((await said({ ...about, extensions: { bazaar: false } }, everywhere)).extensions).toBeUndefined()
})

test('BAZAAR-007 what no catalogue could list is refused when it is declared', () => {
  const paid = open({ endpoint: ENDPOINT })
  const declare = (bazaar: unknown, inputSchema: object | undefined = { city: z.string() }, by = paid) =>
    by.tool(
      'forecast',
      { price: '$0.001', extensions: { bazaar: bazaar as never }, ...(inputSchema && { inputSchema }) },
      work,
    )
  expect(() => declare(true, {}, open())).toThrow(wrong('endpoint'))
  expect(() => paid.tool('forecast', { price: '$0.001', extensions: { bazaar: true } }, work)).toThrow(
    wrong('inputSchema'),
  )
  expect(() => declare({ method: 'GET' })).toThrow(wrong('extensions.bazaar.method'))
  expect(() => declare({ query: {} })).toThrow(wrong('extensions.bazaar.query'))
  expect(() => declare({ tool: { name: 'another' } })).toThrow(wrong('extensions.bazaar.tool'))
  expect(() => declare('yes')).toThrow(wrong('extensions.bazaar'))
  const route = { price: '$0.001', extensions: { bazaar: true } }
  const read = async (uri: URL) => ({ contents: [{ uri: uri.href, text: 'sold' }] })
  expect(() => paid.resource('report', route, read)).toThrow(wrong('extensions.bazaar'))
  open({ endpoint: ENDPOINT, everywhere: { bazaar: true } }).resource('report', '$0.001', read)
  for (const endpoint of ['mcp://x', 'https://user:pass@mcp.example/', `${ENDPOINT}?key=1`, 'mcp'])
    expect(() => open({ endpoint })).toThrow(wrong('endpoint'))
  // Offers under it would name another place than the one that clients have called.
  expect(() => open({ origin: 'https://mcp.example' })).toThrow(wrong('origin'))
})
