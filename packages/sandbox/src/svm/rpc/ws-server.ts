import type { Server } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { dispatch } from './dispatch.js'
import { encodeJson } from './json.js'
import { statusMethods } from './methods/status.js'
import type { Node } from './node.js'
import type { Params } from './params.js'
import { invalidParams } from './rpc-error.js'
import { type Subscription, subscribe } from './subscriptions.js'

/** Answers WebSocket clients of `server` as `node`, and tells them what they wait for. The function it returns ends all. */
export function serveSubscriptions(server: Server, node: Node): () => void {
  const sockets = new WebSocketServer({ server, maxPayload: 4_096 })
  const clients = new Set<Client>()
  sockets.on('connection', (socket) => {
    const client = createClient(socket, node)
    clients.add(client)
    socket.on('close', () => clients.delete(client))
    socket.on('error', () => socket.terminate())
  })
  const forget = node.leader.onChange(() => {
    for (const client of clients) client.tell()
  })
  return () => {
    forget()
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
  }
}

interface Client {
  /** Sends what has happened. */
  tell(): void
}

function createClient(socket: WebSocket, node: Node): Client {
  const subscriptions = new Map<number, Subscription>()

  function tell(): void {
    for (const [id, subscription] of subscriptions) {
      for (const result of subscription.news()) {
        const params = { result, subscription: id }
        socket.send(encodeJson({ jsonrpc: '2.0', method: subscription.notification, params }))
      }
      if (subscription.done) subscriptions.delete(id)
    }
  }

  function answer(method: string, params: Params): unknown {
    if (method.endsWith('Unsubscribe')) return unsubscribe(params[0])
    if (method === 'getVersion') return statusMethods.getVersion?.(params, node)
    const subscription = subscribe(method, params, node)
    if (subscription === undefined) return undefined
    nextId += 1
    subscriptions.set(nextId, subscription)
    return nextId
  }

  function unsubscribe(id: unknown): boolean {
    if (typeof id === 'number' && subscriptions.delete(id)) return true
    throw invalidParams('Invalid subscription id.')
  }

  socket.on('message', (data) => {
    const reply = dispatch(String(data), ({ method, params }) => answer(method, params))
    if (reply !== undefined) socket.send(reply)
    // What has happened already is told a little later: clients lose what comes together with their subscription.
    setTimeout(tell, 10).unref()
  })
  return { tell }
}

let nextId = 0
