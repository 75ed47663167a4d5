import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dispatch } from './dispatch.js'
import { assertHealthy } from './methods/status.js'
import { methods } from './methods.js'
import type { Node } from './node.js'

/** An HTTP server that answers as `node`; it does not listen yet. */
export function createHttpServer(node: Node): Server {
  return createServer((request, response) => {
    exchange(request, response, node).catch(() => response.destroy())
  })
}

async function exchange(request: IncomingMessage, response: ServerResponse, node: Node): Promise<void> {
  response.setHeader('access-control-allow-origin', '*')
  if (request.method === 'OPTIONS') return preflight(response)
  if (request.method === 'GET' && request.url === '/health') return send(response, 200, health(node), 'text/plain')
  if (request.method !== 'POST') {
    return send(response, 405, 'Used HTTP Method is not allowed. POST or OPTIONS is required\n', 'text/plain')
  }
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    const required = 'Supplied content type is not allowed. Content-Type: application/json is required\n'
    return send(response, 415, required, 'text/plain')
  }
  const text = await readText(request)
  if (text === undefined) return send(response, 413, 'Request body size exceeded\n', 'text/plain')
  const reply = dispatch(text, ({ method, params }) => {
    return Object.hasOwn(methods, method) ? methods[method]?.(params, node) : undefined
  })
  send(response, 200, reply ?? '', 'application/json; charset=utf-8')
}

/** Undefined when it is more than a validator reads. */
async function readText(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size <= mostBytes) chunks.push(chunk)
  }
  return size > mostBytes ? undefined : Buffer.concat(chunks).toString('utf8')
}

const mostBytes = 50 * 1_024

function health(node: Node): string {
  try {
    assertHealthy(node)
    return 'ok'
  } catch {
    return 'behind'
  }
}

function preflight(response: ServerResponse): void {
  response.setHeader('access-control-allow-methods', 'OPTIONS, POST')
  response.setHeader('access-control-allow-headers', '*')
  response.setHeader('access-control-max-age', '86400')
  send(response, 200, '', 'text/plain')
}

function send(response: ServerResponse, status: number, text: string, type: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text)
}
