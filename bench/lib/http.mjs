import { createServer } from 'node:http'

/** Serves on a free loopback port. */
export async function listen(listener) {
  // Who takes turns with others comes back to its connections late, and none may close in the moment in which it does.
  const server = createServer({ keepAliveTimeout: 60_000 }, listener)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}`
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { url, close }
}
