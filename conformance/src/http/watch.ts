import { createServer } from 'node:net'

/** Listens, and counts who connects, whatever they speak. */
export async function watch(): Promise<{ readonly port: number; seen(): number; close(): Promise<void> }> {
  let seen = 0
  const server = createServer((socket) => {
    seen += 1
    socket.on('error', () => {})
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    seen: () => seen,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
