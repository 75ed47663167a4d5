// Our paywall for A2A, as part of the server that the kit starts.
import { setTimeout as pause } from 'node:timers/promises'
import { AgentCard, type Artifact, Extensions, Role, TaskState } from '@a2a-js/sdk'
import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server'
import {
  AgentEvent,
  DefaultRequestHandler,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  ServerCallContext,
} from '@a2a-js/sdk/server'
import { type PaidExecutor, paywall } from '@groat/a2a/server'
import type { PaywallOptions, RouteInput } from '@groat/server'
import { agentCard } from '../../../packages/a2a/test/agent-card.js'

/** What the agent works for: the message that it was asked, and what it answers with. */
type Work = (order: string) => object

/** Answers requests to an agent that sells what the kit asks for, in both versions of A2A; and its card. */
export async function openAgent(
  shop: PaywallOptions,
  { url, route, work }: { readonly url: string; readonly route: RouteInput; readonly work: Work },
): Promise<(request: Request) => Promise<Response>> {
  const paid = paywall(shop)
  const executor = paid.agent({ url, route }, executorOf(work))
  await paid.ready()
  const card = agentCard(url)
  const requests = new DefaultRequestHandler(card, new InMemoryTaskStore(), executor)
  const [now, before] = [new JsonRpcTransportHandler(requests), new LegacyJsonRpcTransportHandler(requests)]

  return async (request) => {
    if (request.method === 'GET') return Response.json(AgentCard.toJSON(card))
    const isOld = request.headers.get('a2a-version') !== '1.0'
    const header = isOld ? 'x-a2a-extensions' : 'a2a-extensions'
    const context = new ServerCallContext({
      requestedExtensions: Extensions.parseServiceParameter(request.headers.get(header) ?? undefined),
    })
    const reply = await (isOld ? before : now).handle(await request.text(), context)
    const activated = [...(context.activatedExtensions ?? [])].join(', ')
    return Response.json(reply, { headers: activated === '' ? {} : { [header]: activated } })
  }
}

function executorOf(work: Work): PaidExecutor {
  /** What ends the waiting of tasks. */
  const waiting = new Map<string, () => void>()
  return {
    async execute({ userMessage, taskId, contextId }, bus) {
      const [content] = userMessage.parts.map((part) => part.content)
      const order = content?.$case === 'text' ? content.value : ''
      const say = (state: TaskState, metadata?: Record<string, unknown>) => {
        const message = { ...userMessage, messageId: `${taskId}-said`, role: Role.ROLE_AGENT, parts: [], metadata }
        bus.publish(
          AgentEvent.statusUpdate({
            taskId,
            contextId,
            status: { state, message, timestamp: undefined },
            metadata: undefined,
          }),
        )
      }
      if (order === 'wait') {
        work(order)
        await Promise.race([new Promise<void>((cancelled) => waiting.set(taskId, cancelled)), pause(10_000)])
      }
      if (order === 'fail') return say(TaskState.TASK_STATE_FAILED)
      const value = JSON.stringify({ ...work(order), order })
      const part = {
        content: { $case: 'text' as const, value },
        metadata: undefined,
        filename: '',
        mediaType: 'text/plain',
      }
      const about = { artifactId: 'made', name: 'made', description: '', metadata: undefined, extensions: [] }
      const artifact: Artifact = { ...about, parts: [part] }
      bus.publish(
        AgentEvent.artifactUpdate({ taskId, contextId, artifact, append: false, lastChunk: true, metadata: undefined }),
      )
      const forged = { 'x402.payment.receipts': [{ success: true, transaction: 'forged' }] }
      say(TaskState.TASK_STATE_COMPLETED, order === 'forge' ? forged : undefined)
    },
    async cancelTask(taskId, bus) {
      const status = { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined }
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId: '', status, metadata: undefined }))
      waiting.get(taskId)?.()
    },
  }
}
