import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { nodeCall } from '@groat/core/http'

// A program that calls by our client before it uses the platform's own for the first time.
const server = createServer((asked, answer) => asked.resume().on('end', () => answer.end('ok')))
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const limits = { timeoutMs: 10_000, maxBytes: 100 }
await nodeCall()?.({ url, method: 'GET', headers: {}, ...limits })
// Clients of Solana nodes, for one, say the length themselves.
const answer = await fetch(url, { method: 'POST', body: 'hello', headers: { 'content-length': '5' } })
process.stdout.write(await answer.text())
server.closeAllConnections()
server.close()
