import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AgentCard } from '@a2a-js/sdk'
import { type AgentExecutor, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { agentCardHandler, jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express'
import express from 'express'
import { onTestFinished } from 'vitest'
import { agentCard } from './agent-card.js'

/** An agent behind the SDK's own server, in both versions of A2A, for as long as a test takes. */
export async function serveAgent(
  agentAt: (url: string) => AgentExecutor | Promise<AgentExecutor>,
): Promise<{ readonly url: string; readonly card: AgentCard }> {
  const app = express()
  const http = createServer(app)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(async () => {
    http.closeAllConnections()
    http.close()
    await once(http, 'close')
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/a2a`
  const card = agentCard(url)
  const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), await agentAt(url))
  const userBuilder = UserBuilder.noAuthentication
  app.use('/.well-known/agent-card.json', agentCardHandler({ agentCardProvider: requestHandler }))
  app.use('/a2a', jsonRpcHandler({ requestHandler, userBuilder, legacyCompat: { enabled: true } }))
  return { url, card }
}
