import { createServer } from 'node:http'

/** Listens on a free loopback port and says so to the kit. */
export function ready(listener) {
  const server = createServer(listener)
  server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ ready: { url: `http://127.0.0.1:${server.address().port}` } })}\n`)
  })
}
