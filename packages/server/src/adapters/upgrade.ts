import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { X402Error } from '@groat/core'
import { problemAnswer } from '../answer.js'
import type { Gate } from '../paywall.js'
import { protect, type Reply, type VerifiedPayment } from '../protect.js'
import type { Route, RouteInput } from '../route.js'
import { answerHandshake } from './handshake-answer.js'
import { gateRequestOf } from './node-request.js'
import { passSocket } from './passed-socket.js'

/** Takes over a socket for a verified payment, such as by `handleUpgrade` of a WebSocket server. */
export type PaidUpgrade = (
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  payment: VerifiedPayment,
) => void | Promise<void>

/** A listener of the event `upgrade` of a `node:http` server. */
export type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void

/**
 * Wraps a handler of upgrades: only paid handshakes reach it, and one payment opens one socket, however often it is presented. Until the
 * handshake is answered with 101 the payment stays owed. The route is `upfront` unless it says `accepted`, or `optimistic` with a loss
 * budget; a socket cannot be held back, so it is never strict. What is counted (`perMinute`, `perByte`, `payment.use`) ends the socket at
 * the ceiling with the close code 1008. `mode`, `refund` and bundles mean what they mean for requests.
 * Throws `X402Error` `invalid_config`, and what any route throws (SRV-040, SRV-041).
 *
 * @example
 * server.on('upgrade', paid.upgrade('$0.01', (req, socket, head) => {
 *   sockets.handleUpgrade(req, socket, head, (socket) => socket.send('paid'))
 * }))
 */
export type WrapUpgrade = (route: RouteInput, handler: PaidUpgrade) => UpgradeListener

/** Throws `X402Error` `invalid_config` for a route that no socket can be sold by. */
export function checkUpgrade({ name, mode, asks }: Route): void {
  const reason = 'a socket cannot be held back until it is paid for: it is upfront, accepted or optimistic'
  if (mode === 'strict' || asks !== undefined)
    throw new X402Error('invalid_config', { route: name, field: 'mode', reason })
}

/** Serves one handshake by whatever the gate says. */
export function serveUpgrade(
  gate: Gate,
  route: Route,
  {
    req,
    socket,
    head,
    handler,
  }: {
    readonly req: IncomingMessage
    readonly socket: Duplex
    readonly head: Buffer
    readonly handler: PaidUpgrade
  },
): void {
  // Nobody else listens yet, and a line that breaks must not end the process.
  socket.on('error', () => socket.destroy())
  const send = (reply: Reply<never>): void => {
    if (reply.type !== 'stream') {
      const refusal = reply.type === 'answer' ? reply : { answer: problemAnswer('handler_failed'), paid: false }
      answerHandshake(socket, refusal.answer, refusal.paid)
      return
    }
    const passed = passSocket(socket, reply, { isWebSocket: /^websocket$/i.test(req.headers.upgrade ?? '') })
    Promise.resolve()
      .then(() => handler(req, socket, head, reply.payment))
      .catch(passed.fail)
  }
  const begin = async (): Promise<Reply<never>> => {
    const reply = await protect<never>(gate, route, {
      request: gateRequestOf(req),
      gone: () => socket.destroyed,
      // Asked for only where work has to be held back: the budget for loss is used up.
      work: async () => ({ type: 'failed', code: 'handler_failed' }),
    })
    return 'type' in reply ? reply : { type: 'answer', answer: reply, paid: false }
  }
  begin()
    .then(send)
    .catch(() => answerHandshake(socket, problemAnswer('handler_failed'), false))
}
