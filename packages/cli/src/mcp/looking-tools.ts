import { createBuyer, findServices, type PaymentRecord } from '@groat/client/buyer'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import * as z from 'zod'
import type { AgentTools } from './agent-server.js'
import type { Outside } from './outside.js'
import { assetOf, failed, leftOf, moneyOf, said, telling } from './said.js'
import { targetOf } from './target.js'

/** Adds the tools that spend nothing: `find`, `receipts`, `budget`. */
export function addLookingTools(
  server: McpServer,
  { policy, purse, catalogues, sites, task, outside }: AgentTools & { readonly outside: Outside },
): void {
  server.registerTool(
    'find',
    {
      title: 'Find paid services',
      description:
        'Looks for HTTP APIs that sell by x402, the cheapest first. What a service really costs is what "quote" says.',
      inputSchema: z.strictObject({
        query: z.string().max(200).optional().describe('Words that all stand in the URL or the description'),
        max: z.string().max(40).optional().describe('Most that one call may cost, such as $0.01'),
        site: z.string().max(2048).optional().describe('A site that may describe itself, such as https://api.example'),
        limit: z.number().int().min(1).max(100).default(20).describe('How many at most'),
      }),
      annotations: { readOnlyHint: true, openWorldHint: true },
    },
    ({ query = '', max, site, limit }, { signal }) =>
      telling(async () => {
        const all = site === undefined ? sites : [targetOf(site, policy).href, ...sites]
        if (catalogues.length + all.length === 0) {
          return failed({
            status: 'failed',
            reason: 'nowhere to look',
            hint: 'Name a site, or have the user start groat mcp with --catalogue.',
          })
        }
        const { services, silent } = await findServices({
          query,
          catalogues,
          sites: all,
          signal,
          fetch: outside.fetch,
          ...(max !== undefined && { max }),
        })
        const found = services.slice(0, limit).map(({ url, description, offers, price, source }) => ({
          url,
          description: description.slice(0, 300),
          prices: offers.map(({ offer, asset }) => ({
            ...moneyOf(offer.amount, asset, offer.asset),
            network: offer.network,
            scheme: offer.scheme,
          })),
          ...(price !== undefined && { price_in_words: price }),
          source,
        }))
        return said({ services: found, more: Math.max(0, services.length - found.length), no_answer_from: silent })
      }),
  )

  server.registerTool(
    'receipts',
    {
      title: 'What was paid',
      description: 'Lists payments of this wallet, the newest first, with what became of each.',
      inputSchema: z.strictObject({
        limit: z.number().int().min(1).max(200).default(20).describe('How many at most'),
        task: z.string().max(200).optional().describe('Those of one task'),
        id: z.string().max(100).optional().describe('The beginning of the id of one payment'),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ limit, task: wanted, id = '' }) =>
      telling(async () => {
        const isNarrow = wanted !== undefined || id !== ''
        const records = await purse.records(isNarrow ? {} : { limit })
        const fitting = records.filter(
          ({ intent, metadata }) => (wanted === undefined || metadata.task === wanted) && intent.id.startsWith(id),
        )
        return said({ receipts: fitting.slice(0, limit).map(receiptOf) })
      }),
  )

  server.registerTool(
    'budget',
    {
      title: 'What may still be spent',
      description:
        'Tells the limits that the user has set, what is spent of each and what is left. They cannot be changed here.',
      inputSchema: z.strictObject({
        task: z.string().max(200).optional().describe('The task whose budget is meant'),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ task: wanted }) =>
      telling(async () => {
        const budgets = await createBuyer({ schemes: [nobody], policy, purse }).budgets(task ?? wanted)
        const { perPayment, origins, networks, askAbove } = policy
        return said({
          per_payment: perPayment,
          ...(askAbove !== undefined && { the_user_is_asked_above: askAbove }),
          ...(origins && { only_at: origins }),
          ...(networks && { only_on: networks }),
          budgets: budgets.map(leftOf),
        })
      }),
  )
}

function receiptOf({ intent, metadata, note }: PaymentRecord) {
  const { id, state, origin, network, amount, asset, payTo, transaction, createdAt } = intent
  return {
    ...{ id, state, at: new Date(createdAt).toISOString(), origin },
    ...moneyOf(amount, assetOf(intent), asset),
    ...{ network, pay_to: payTo },
    ...(transaction !== undefined && { transaction }),
    ...(metadata.task !== undefined && { task: metadata.task }),
    ...(note.chain && { chain: note.chain.status }),
  }
}

/** Budgets are read without an account. */
const nobody = {
  scheme: { name: 'none', family: 'none' },
  payer: () => undefined,
  asset: () => undefined,
  prepare: () => ({ ok: false, code: 'missing_scheme' }) as const,
}
