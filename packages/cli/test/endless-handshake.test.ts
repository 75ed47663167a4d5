import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPayer } from '@groat/client'
import { paidSocket } from '@groat/client/websocket'
import { encodeChallenge, network } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'

// A seller that answers a handshake without an end keeps nobody.

const offer = {
  ...{ scheme: 'exact', network: network('base-sepolia'), amount: 1_000n, maxTimeoutSeconds: 60 },
  ...{ asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', payTo: `0x${'11'.repeat(20)}` },
  extra: { name: 'USDC', version: '2' },
}
const dial = (to: string, headers: Readonly<Record<string, string>>) => new WebSocket(to, { headers })
const account = privateKeyAccount(`0x${'7'.repeat(64)}`)

/** Asks for a payment in its head, and never ends what is paid for, or never even ends asking. */
async function endless(beginsWith: 'first' | 'paid') {
  const timers = new Set<ReturnType<typeof setInterval>>()
  const server = createServer()
  server.on('upgrade', (request, socket) => {
    const isPaid = request.headers['payment-signature'] !== undefined
    socket.on('error', () => {})
    if (!isPaid && beginsWith === 'paid') {
      const { 'PAYMENT-REQUIRED': terms } = encodeChallenge({ accepts: [offer] }).headers
      socket.end(`HTTP/1.1 402 Payment Required\r\npayment-required: ${terms}\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    socket.write(`HTTP/1.1 ${isPaid ? 503 : 402} No\r\ntransfer-encoding: chunked\r\n\r\n`)
    timers.add(setInterval(() => socket.write('1\r\nx\r\n'), 20))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const timer of timers) clearInterval(timer)
    server.closeAllConnections()
    server.close()
  })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/live`
}

test('CL-8 G24 an abort ends a handshake whose answer has no end', async () => {
  const payer = createPayer({ schemes: [exactEvm({ account })] })
  const signal = AbortSignal.timeout(200)
  await expect(paidSocket(payer, await endless('first'), dial, { signal })).rejects.toThrow()
})

test('CL-8 G28 a paid handshake whose answer has no end is given up in time, and its payment stays known', async () => {
  const payer = createPayer({ schemes: [exactEvm({ account })], limits: { answerMs: 200, attempts: 1 } })
  await expect(paidSocket(payer, await endless('paid'), dial)).rejects.toMatchObject({ code: 'payment_unresolved' })
})
