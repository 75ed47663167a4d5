import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startTcpProxy, type TcpProxy } from '../index.js'

let server: Server
let proxy: TcpProxy
let heard: string
const clients: Socket[] = []

/** A server that echoes in capitals. */
beforeEach(async () => {
  heard = ''
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      heard += data
      socket.write(String(data).toUpperCase())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  proxy = await startTcpProxy({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await proxy.stop()
  await new Promise((resolve) => server.close(resolve))
})

async function dial() {
  const socket = connect(proxy.port, proxy.host)
  clients.push(socket)
  let answered = ''
  let failed: string | undefined
  socket.on('data', (data) => {
    answered += data
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failed = error.code
  })
  await once(socket, 'connect')
  return {
    send: (text: string) => void socket.write(text),
    answered: () => answered,
    failed: () => failed,
  }
}

const become = (look: () => unknown) => expect.poll(look, { timeout: 10_000, interval: 5 })

test('passes both ways, in order, and counts', async () => {
  const client = await dial()
  client.send('a')
  await become(client.answered).toBe('A')
  client.send('b')
  await become(client.answered).toBe('AB')
  expect([proxy.open, proxy.total]).toEqual([1, 1])
})

test('delay keeps the order', async () => {
  proxy.set({ action: 'delay', ms: 30 })
  const client = await dial()
  for (const each of 'abcdef') client.send(each)
  await become(client.answered).toBe('ABCDEF')
})

test('freeze holds everything back, and heals without losing any of it', async () => {
  const client = await dial()
  proxy.set({ action: 'freeze' })
  client.send('hello')
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect([heard, client.answered()]).toEqual(['', ''])
  proxy.set({ action: 'pass' })
  await become(client.answered).toBe('HELLO')
})

test('mute lets the work be done and loses the answer', async () => {
  const client = await dial()
  proxy.set({ action: 'mute' })
  client.send('pay')
  await become(() => heard).toBe('pay')
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(client.answered()).toBe('')
})

test('cut resets what is open and refuses what is new, until it heals', async () => {
  const client = await dial()
  proxy.set({ action: 'cut' })
  await become(client.failed).toBe('ECONNRESET')
  const refused = await dial().catch((error: NodeJS.ErrnoException) => ({ failed: () => error.code }))
  await become(refused.failed).toBe('ECONNRESET')
  proxy.set({ action: 'pass' })
  const again = await dial()
  again.send('x')
  await become(again.answered).toBe('X')
  await become(() => proxy.open).toBe(1)
})
