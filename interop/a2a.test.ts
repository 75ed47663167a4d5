import { type Message, Role, type SendMessageRequest, type Task, TaskState } from '@a2a-js/sdk'
import { type Client, ClientFactory, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { AgentEvent, type AgentExecutor } from '@a2a-js/sdk/server'
import { payingAgent } from '@groat/a2a/client'
import { type PaidExecutor, paywall } from '@groat/a2a/server'
import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as exactEvmFacilitator } from '@groat/evm/exact/facilitator'
import { exactEvm } from '@groat/evm/exact/server'
import { createMemoryClaims } from '@groat/server'
import { x402Client } from '@x402/core/client'
import type { PaymentRequired } from '@x402/core/types'
import { ExactEvmScheme } from '@x402/evm/exact/client'
import { privateKeyToAccount } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import { serveAgent } from '../packages/a2a/test/served-agent.js'
import { officialAgent } from './peers/official-a2a.js'
import { ourEvmPayer, ourFacilitator } from './peers/ours.js'
import { useStage } from './test-kit.js'

const stage = useStage()
let facilitator: string
beforeAll(async () => {
  const { rpcUrl } = stage.chain
  const signers = [stage.chain.account('facilitator').privateKey]
  const chain = await createEvmChain({ network: network('base-sepolia'), rpc: rpcUrl, signers })
  facilitator = (await stage.keep(ourFacilitator(exactEvmFacilitator({ chains: [chain] })))).url
})

/** An agent behind the SDK's server, in both versions of the protocol, and the SDK's client of one of them. */
async function served(
  agentAt: (url: string) => AgentExecutor | Promise<AgentExecutor>,
  protocolVersion: '1.0' | '0.3',
): Promise<{ readonly client: Client; readonly url: string }> {
  const { url, card } = await serveAgent(agentAt)
  const transports = [new JsonRpcTransportFactory({ legacyCompat: { enabled: true } })]
  const supportedInterfaces = card.supportedInterfaces.filter((each) => each.protocolVersion === protocolVersion)
  const known = { ...card, supportedInterfaces }
  return { client: await new ClientFactory({ transports }).createFromAgentCard(known), url }
}

const forecaster: PaidExecutor = {
  async execute({ userMessage, taskId, contextId }, bus) {
    const part = {
      content: { $case: 'text' as const, value: 'sunny' },
      metadata: undefined,
      filename: '',
      mediaType: '',
    }
    const message = { ...userMessage, messageId: `answer-${taskId}`, role: Role.ROLE_AGENT, parts: [part] }
    const status = { state: TaskState.TASK_STATE_COMPLETED, message, timestamp: undefined }
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }))
  },
  async cancelTask() {},
}

let messages = 0
function message(text: string, more: Partial<Message> = {}): SendMessageRequest {
  const part = { content: { $case: 'text' as const, value: text }, metadata: undefined, filename: '', mediaType: '' }
  const ids = { messageId: `m-${++messages}`, contextId: '', taskId: '' }
  const made = {
    ...ids,
    role: Role.ROLE_USER,
    parts: [part],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  }
  return { tenant: '', message: { ...made, ...more }, configuration: undefined, metadata: undefined }
}

test.each(['1.0', '0.3'] as const)(
  'A2A-001 A2A-003 A2A-004 an unmodified client of A2A %s that pays by the official packages buys from our agent',
  async (version) => {
    const { address, privateKey } = stage.chain.account('payer')
    const { client } = await served(async (url) => {
      const paid = paywall({
        facilitator,
        payTo: { 'base-sepolia': stage.chain.account('seller').address },
        schemes: [exactEvm],
        store: createMemoryClaims({ singleProcess: true }),
      })
      const executor = paid.agent({ url, route: '$0.001' }, forecaster)
      await paid.ready()
      return executor
    }, version)
    const payer = new x402Client().register('eip155:*', new ExactEvmScheme(privateKeyToAccount(privateKey)))
    const moved = await stage.moved(address, async () => {
      const task = (await client.sendMessage(message('weather?'))) as Task
      const required = task.status?.message?.metadata?.['x402.payment.required'] as PaymentRequired
      const payload = await payer.createPaymentPayload(required)
      const metadata = { 'x402.payment.status': 'payment-submitted', 'x402.payment.payload': payload }
      const { id: taskId, contextId } = task
      const done = (await client.sendMessage(message('paying', { taskId, contextId, metadata }))) as Task
      expect(done.status?.message?.metadata).toMatchObject({
        'x402.payment.status': 'payment-completed',
        'x402.payment.receipts': [{ success: true, network: 'eip155:84532' }],
      })
      expect(done.status?.message?.parts[0]?.content?.value).toBe('sunny')
    })
    expect(moved).toEqual({ paid: 1000n, earned: 1000n, transfers: 1 })
  },
)

test.each(['1.0', '0.3'] as const)(
  'A2A-030 A2A-031 our client buys from an unmodified agent of A2A %s that sells by the official packages',
  async (version) => {
    const { address, privateKey } = stage.chain.account('payer')
    const { client, url } = await served(
      (at) => officialAgent(facilitator, stage.chain.account('seller').address, at),
      version,
    )
    const paying = payingAgent(client, ourEvmPayer(privateKey), { agent: url })
    const moved = await stage.moved(address, async () => {
      const done = (await paying.sendMessage(message('weather?'))) as Task
      expect(done.status?.message?.parts[0]?.content?.value).toBe('sunny')
      expect(paying.outcome(done)).toMatchObject({ status: 'settled', payment: { amount: 1000n } })
    })
    expect(moved).toEqual({ paid: 1000n, earned: 1000n, transfers: 1 })
  },
)
