import { createServer } from 'node:net'
import { network, X402Error } from '@groat/core'
import { callOver, nodeCall } from '@groat/core/http'
import { expect, test } from 'vitest'
import { namingNodes } from './silent-nodes.js'

test.each([
  ['Node', nodeCall()],
  ['the platform', callOver(fetch)],
])('a node that hangs is said to have timed out, by the client of %s', async (_, call) => {
  const sockets = new Set<{ destroy(): void }>()
  const silent = createServer((socket) => void sockets.add(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { readonly port: number }
  const base = network('eip155:8453')
  const url = `http://127.0.0.1:${port}/key`
  try {
    const asked = call?.({ url, method: 'POST', headers: {}, body: '{}', timeoutMs: 50, maxBytes: 1 })
    const cause = await asked?.catch((fault: unknown) => fault)
    const error = new X402Error('rpc_unreachable', { network: base, node: `127.0.0.1:${port}` }, { cause })
    const config = { network: base, rpc: [url], signers: [], schemes: ['exact'] as const }
    expect(String(namingNodes(error, [config]))).toContain(`no node of base answers: 127.0.0.1:${port} (timed out)`)
  } finally {
    for (const socket of sockets) socket.destroy()
    silent.close()
  }
})
