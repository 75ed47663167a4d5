import type { OfferRefusal, PaymentOutcome, Quote } from '@groat/client'
import { type Buyer, createBuyer } from '@groat/client/buyer'
import { type ErrorCode, errorInfo, formatUnits } from '@groat/core'
import { payerFields } from '@groat/extensions/compliance/client'
import { identifiedPayments } from '@groat/extensions/payment-identifier/client'
import { boundPayments } from '@groat/extensions/request-binding/client'
import { signInWithAccounts } from '@groat/extensions/sign-in-with-x/client'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import * as z from 'zod'
import { limitedTo } from '../commands/pay.js'
import { CliError } from '../terminal/exit.js'
import type { AgentTools } from './agent-server.js'
import { answerContent } from './answer-content.js'
import type { Outside } from './outside.js'
import { AGAIN, assetOf, failed, leftOf, moneyOf, said, telling } from './said.js'
import { targetOf } from './target.js'

const request = {
  url: z.string().max(8192).describe('The whole URL, such as https://api.example/weather?city=Oslo'),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).optional().describe('Default GET, or POST with a body'),
  headers: z.record(z.string(), z.string()).optional().describe('Request headers by name'),
  body: z.string().max(1_048_576).optional().describe('Request body as text; say its type in the header content-type'),
  max: z
    .string()
    .max(40)
    .optional()
    .describe('Most that this call may cost, such as $0.02; it can only lower the limit that the user has set'),
  task: z
    .string()
    .max(200)
    .optional()
    .describe('What it is for; payments of one task are counted together. A task that the user has set is not changed'),
}

type Asked = {
  readonly url: string
  readonly method?: string | undefined
  readonly headers?: Record<string, string> | undefined
  readonly body?: string | undefined
  readonly max?: string | undefined
  readonly task?: string | undefined
}

/** Adds the tools that look at prices and pay them: `quote`, `pay`. */
export function addBuyingTools(server: McpServer, tools: AgentTools & { readonly outside: Outside }): void {
  server.registerTool(
    'quote',
    {
      title: 'Ask for a price',
      description:
        'Sends the request without a payment and tells what it would cost and whether the policy allows it. Signs nothing and spends nothing. A request that costs nothing has been made.',
      inputSchema: z.strictObject(request),
      // It is a request of any method to any place that may be paid, and what costs nothing is done.
      annotations: { readOnlyHint: false, openWorldHint: true },
    },
    (asked, { signal }) =>
      telling(async () => {
        const { buyer, target, init } = await buyerFor(server, tools, asked, true)
        const quote = await buyer.quote(target, { ...init, signal })
        const left = (await buyer.budgets(tools.task ?? asked.task, target.origin)).map(leftOf)
        return quote.status === 'refused' ? failed({ ...quoteOf(quote), left }) : said({ ...quoteOf(quote), left })
      }),
  )

  server.registerTool(
    'pay',
    {
      title: 'Request and pay',
      description:
        'Makes an HTTP request, pays if the server asks for it and the policy allows it, and returns the answer. Spends real money. Says what was paid and what is left. After an unknown outcome call it again with the same arguments.',
      inputSchema: z.strictObject({
        ...request,
        idempotency_key: z
          .string()
          .max(200)
          .optional()
          .describe('Names this purchase: every call with the same key and request presents one and the same payment'),
      }),
      annotations: { readOnlyHint: false, idempotentHint: false, openWorldHint: true },
    },
    ({ idempotency_key: idempotencyKey, ...asked }, { signal }) =>
      telling(async () => {
        const { buyer, target, init } = await buyerFor(server, tools, asked, false)
        const began = Date.now()
        const response = await buyer.fetch(target, {
          ...init,
          signal,
          ...(idempotencyKey !== undefined && { idempotencyKey }),
        })
        const outcome = buyer.outcome(response)
        const content = outcome?.status === 'unpaid' ? [] : await answerContent(response)
        await buyer.idle()
        await tools.sellerKeys?.keep(tools.purse, began)
        const left = (await buyer.budgets(tools.task ?? asked.task, target.origin)).map(leftOf)
        return paidResult(response, outcome, content, left)
      }),
  )
}

/** A task that the user has set has a budget of its own: under another name the agent would have a new one. Throws `CliError`. */
function taskOf(named: string | undefined, set: string | undefined): string | undefined {
  if (set !== undefined && named !== undefined && named !== set) {
    throw new CliError('usage', `the user has set the task ${set}`, 'Leave "task" out.')
  }
  return set ?? named
}

async function buyerFor(
  server: McpServer,
  { policy, fields = {}, accounts, purse, wallet, outside, task: usual }: AgentTools & { readonly outside: Outside },
  { url, method, headers, body, max, task: named }: Asked,
  dryRun: boolean,
): Promise<{ readonly buyer: Buyer; readonly target: URL; readonly init: RequestInit }> {
  const target = targetOf(url, policy)
  // A wallet asks a seller on this machine for its chains.
  await outside.look(target)
  const task = taskOf(named, usual)
  const limited = limitedTo({ ...(max !== undefined && { max }) }, policy)
  const known = dryRun ? undefined : await accounts?.(target)
  const buyer = createBuyer({
    schemes: await wallet(target, dryRun),
    policy: limited,
    purse,
    ...{ fetch: outside.fetch, resolve: outside.resolve },
    approve: (request) => askUser(server, request),
    extensions: [
      identifiedPayments(),
      boundPayments(),
      payerFields(fields),
      ...(known ? [signInWithAccounts(known)] : []),
    ],
    ...(task !== undefined && { metadata: { task } }),
  })
  const init = {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    ...(headers && { headers }),
    ...(body !== undefined && { body }),
  }
  return { buyer, target, init }
}

type Approval = Parameters<NonNullable<Parameters<typeof createBuyer>[0]['approve']>>[0]

/** Asks the person behind the client, where that is possible; nobody else can say yes. */
async function askUser({ server }: McpServer, { url, offer, asset, amount, signal }: Approval): Promise<boolean> {
  if (server.getClientCapabilities()?.elicitation === undefined) return false
  const price = `${formatUnits(amount, asset.decimals)} ${asset.symbol}`
  const answer = await server.elicitInput(
    {
      mode: 'form',
      message: `Pay ${price} on ${offer.network} to ${offer.payTo}, for ${new URL(url).origin}?`,
      requestedSchema: {
        type: 'object',
        properties: { pay: { type: 'boolean', title: `Pay ${price}` } },
        required: ['pay'],
      },
    },
    signal ? { signal } : {},
  )
  return answer.action === 'accept' && answer.content?.pay === true
}

function quoteOf(quote: Quote): Record<string, unknown> {
  switch (quote.status) {
    case 'free':
      return { status: 'free', http_status: quote.httpStatus }
    case 'payable': {
      const { offer, asset, amount, refusals } = quote
      const price = {
        ...moneyOf(amount, asset, offer.asset),
        network: offer.network,
        scheme: offer.scheme,
        pay_to: offer.payTo,
      }
      return { status: 'payable', price, ...(refusals.length > 0 && { other_offers: refusals.map(refusalOf) }) }
    }
    case 'refused':
      return refusedBy(quote)
  }
}

type Refused = { readonly code: ErrorCode; readonly detail?: string; readonly refusals: readonly OfferRefusal[] }

/** Which rule says no, of the policy or of a scheme, for every offer. */
function refusedBy({ code, detail, refusals }: Refused): Record<string, unknown> {
  const { title, hint } = errorInfo(code)
  return {
    status: 'refused',
    code,
    reason: detail ?? title,
    hint:
      code === 'compliance_required' ? `The user names it below \`fields\` in the policy: ${detail ?? title}.` : hint,
    rules: [...new Set(refusals.map(({ rule }) => rule))],
    offers: refusals.map(refusalOf),
  }
}

function refusalOf({ rule, code, detail, offer }: OfferRefusal) {
  return {
    rule,
    code,
    reason: detail ?? errorInfo(code).title,
    ...moneyOf(offer.amount, assetOf(offer), offer.asset),
    network: offer.network,
  }
}

/** What was paid, what came of it, and what is left. */
function paidResult(
  { status: http_status, ok }: Response,
  outcome: PaymentOutcome | undefined,
  content: CallToolResult['content'],
  left: readonly object[],
): CallToolResult {
  if (outcome === undefined) {
    const object = { status: 'free', http_status, left }
    return ok ? said(object, content) : failed(object, content)
  }
  switch (outcome.status) {
    case 'unpaid':
      return failed({ ...refusedBy(outcome), paid: false, left })
    case 'settled':
    case 'disputed':
    case 'answered': {
      const { payment } = outcome
      const receipt = 'receipt' in outcome ? outcome.receipt : undefined
      // A metered scheme takes less than was signed.
      const amount = receipt?.amount ?? payment.amount
      const paid = {
        ...moneyOf(amount, assetOf(payment), payment.asset),
        ...{ network: payment.network, pay_to: payment.payTo, receipt_id: payment.intent },
        ...(receipt && { transaction: receipt.transaction }),
        ...(receipt?.dispute !== undefined && { receipt_contradicts: receipt.dispute }),
      }
      const object = { status: outcome.status === 'settled' ? 'paid' : outcome.status, http_status, paid, left }
      return ok ? said(object, content) : failed({ ...object, hint: AGAIN }, content)
    }
    case 'refused':
      return failed(
        {
          status: 'refused_by_seller',
          http_status,
          code: outcome.code,
          reason: outcome.detail ?? errorInfo(outcome.code).title,
          left,
        },
        content,
      )
    case 'unknown':
      return failed({ status: 'unknown', http_status, hint: AGAIN, receipt_id: outcome.payment.intent, left }, content)
  }
}
