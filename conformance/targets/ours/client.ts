// Our payer, as a target.
import { Role, type Task, TaskState, taskStateToJSON } from '@a2a-js/sdk'
import { ClientFactory, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { payingAgent } from '@groat/a2a/client'
import { createPayer } from '@groat/client'
import type { SchemeClient } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { namedServices } from '@groat/extensions/builder-code/client'
import { payerFields } from '@groat/extensions/compliance/client'
import { signedReceipts } from '@groat/extensions/offer-receipt/client'
import { identifiedPayments } from '@groat/extensions/payment-identifier/client'
import { refundsKnown, refundTerms, requestRefund } from '@groat/extensions/refund/client'
import { boundPayments } from '@groat/extensions/request-binding/client'
import { signedInFetch, signInWithAccounts } from '@groat/extensions/sign-in-with-x/client'
import { payingClient } from '@groat/mcp/client'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type {
  CallAnswer,
  ClientAnswer,
  ClientCall,
  ClientMessage,
  ClientPurse,
  ClientRequest,
  MessageAnswer,
  RefundAnswer,
} from '../../src/index.js'

/** Extensions that it knows. */
const extensions = [
  ...['payment-identifier', 'sign-in-with-x', 'offer-receipt', 'builder-code'],
  ...['groat-request-binding', 'groat-compliance', 'groat-refund'],
]

function accountsOf({ wallet }: Pick<ClientPurse, 'wallet'>) {
  const evm = wallet.eip155 === undefined ? undefined : privateKeyAccount(wallet.eip155 as `0x${string}`)
  const svm = wallet.solana === undefined ? undefined : secretKeyAccount(wallet.solana)
  return { evm, svm }
}

/** Our client, over this `fetch`. */
export function clientOver(fetch: typeof globalThis.fetch) {
  /** A payer of its own for every request. */
  function payerOf({ wallet, policy, rpc }: ClientPurse, versions: readonly (1 | 2)[] = [2]) {
    const { evm, svm } = accountsOf({ wallet })
    const node = rpc.solana === undefined ? {} : { rpc: rpc.solana }
    const schemes: SchemeClient[] = [
      ...(evm ? [exactEvm({ account: evm })] : []),
      ...(svm ? [exactSvm({ account: svm, ...node })] : []),
    ]
    const accounts = { ...(evm && { evm }), ...(svm && { svm }) }
    return createPayer({
      schemes,
      policy: { perPayment: `$${(Number(policy.maxAtomic) / 1e6).toFixed(6)}`, versions },
      fetch: signedInFetch(accounts, fetch),
      extensions: [
        identifiedPayments(),
        signInWithAccounts(accounts),
        signedReceipts(),
        namedServices(['conformance_kit']),
        boundPayments(),
        payerFields({ country: 'PL', kind: 'business' }),
        refundsKnown(),
      ],
    })
  }

  return {
    extensions,

    fetch: ({ request, ...purse }: ClientRequest): Promise<ClientAnswer> =>
      attempted(async () => {
        const payer = payerOf(purse)
        const { url, method, headers, body } = request
        const init = { method, ...(headers === undefined ? {} : { headers }), ...(body === undefined ? {} : { body }) }
        const response = await payer.fetch(url, init)
        const receipt = payer.receipt(response)
        const hasSigned = receipt?.extensions?.['offer-receipt'] !== undefined
        const hasRecord = receipt?.extensions?.['groat-compliance'] !== undefined
        const recorded = hasRecord ? { saleRecord: receipt?.flaws?.['groat-compliance'] === undefined } : {}
        const signed = hasSigned ? { signedReceipt: receipt?.flaws?.['offer-receipt'] === undefined } : {}
        return {
          status: response.status,
          body: await response.text(),
          paid: receipt !== undefined,
          ...signed,
          ...recorded,
        }
      }),

    /** Asks for the money back that it paid. */
    refund: ({ request: { url, method }, ...purse }: ClientRequest): Promise<RefundAnswer> =>
      attempted(async () => {
        const payer = payerOf(purse)
        const outcome = payer.outcome(await payer.fetch(url, { method }))
        if (outcome?.status !== 'settled') return { status: 'unpaid' }
        const { payment, receipt } = outcome
        const terms = refundTerms(receipt.extensions)
        if (terms === undefined) return { status: 'without terms' }
        const { evm, svm } = accountsOf(purse)
        const account = payment.network.startsWith('eip155:') ? evm : svm
        if (account === undefined) return { status: 'without an account' }
        const { network, asset, amount, payTo } = payment
        const paid = { network, asset, amount, payTo, payer: payment.payer, transaction: receipt.transaction }
        const { status } = await requestRefund({
          terms,
          resource: url,
          paid,
          account,
          reason: 'customer_request',
          fetch,
        })
        return { status }
      }),

    call: ({ server, tool, arguments: given, ...purse }: ClientCall): Promise<CallAnswer> => {
      const client = new Client({ name: 'groat', version: '1' })
      return attempted(async () => {
        const transport = new StreamableHTTPClientTransport(new URL(server), { fetch })
        await client.connect(transport as Parameters<Client['connect']>[0])
        const paying = payingClient(client, payerOf(purse, [2, 1]), { server })
        return { result: await paying.callTool({ name: tool, arguments: { ...given } }) }
      }).finally(() => client.close())
    },

    /** Where the policy says so, the agent is told that it will not be paid. */
    message: ({ agent, text, ...purse }: ClientMessage): Promise<MessageAnswer> =>
      attempted(async () => {
        const factory = new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl: fetch })] })
        const client = await factory.createFromUrl(`${agent}/`)
        const paying = payingAgent(client, payerOf(purse), { agent })
        const content = { $case: 'text' as const, value: text }
        const part = { content, metadata: undefined, filename: '', mediaType: '' }
        const about = { contextId: '', taskId: '', metadata: undefined, extensions: [], referenceTaskIds: [] }
        const message = { ...about, messageId: crypto.randomUUID(), role: Role.ROLE_USER, parts: [part] }
        const result = await paying.sendMessage({ tenant: '', message, configuration: undefined, metadata: undefined })
        if (!('status' in result)) return { state: 'message', texts: [] }
        if (paying.outcome(result)?.status !== 'unpaid') return told(result)
        const rejected = await paying.reject(result)
        return told('status' in rejected ? rejected : result)
      }),
  }
}

/** Our client. */
export const ourClient = clientOver(globalThis.fetch)

function told({ status, artifacts }: Task) {
  const parts = [...artifacts.flatMap((artifact) => artifact.parts), ...(status?.message?.parts ?? [])]
  const texts = parts.flatMap(({ content }) => (content?.$case === 'text' ? [content.value] : []))
  const state = taskStateToJSON(status?.state ?? TaskState.TASK_STATE_UNSPECIFIED)
  return { state: state.replace('TASK_STATE_', '').toLowerCase().replaceAll('_', '-'), texts }
}

async function attempted<T>(run: () => Promise<T>) {
  try {
    return { ok: await run() }
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (typeof code === 'string') return { refused: { code } }
    return { error: { message: error instanceof Error ? error.message : String(error) } }
  }
}
