import { once } from 'node:events'
import { address, generateKeyPairSigner, type Signature, sendAndConfirmTransactionFactory } from '@solana/kit'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { memo, memoProgram, testHere, tokenAccountOf, transferUsdc, useSvm } from '../../../test/svm-kit.js'

const on = useSvm()
const confirmed = { commitment: 'confirmed' } as const
const seller = () => address(on.chain.account('seller').address)

/** The next `count` notifications, once `act` has been done. */
async function notified<T>(
  subscribe: (abortSignal: AbortSignal) => Promise<AsyncIterable<T>>,
  count: number,
  act: () => Promise<unknown>,
): Promise<T[]> {
  const ending = new AbortController()
  const notifications = (await subscribe(ending.signal))[Symbol.asyncIterator]()
  // Kit throws away what comes before anybody waits.
  let next = notifications.next()
  await act()
  const found: T[] = []
  while (found.length < count) {
    const { value, done } = await next
    if (done) break
    found.push(value)
    next = notifications.next()
  }
  ending.abort()
  return found
}

test('kit sends and confirms', async () => {
  const payer = await on.newcomer(3n)
  const sendAndConfirm = sendAndConfirmTransactionFactory({ rpc: on.rpc, rpcSubscriptions: on.subscriptions })
  const { transaction } = await on.sign(payer, [await transferUsdc(payer, seller(), 2n)])
  await sendAndConfirm({ ...transaction, lifetimeConstraint: await on.blockhash() }, confirmed)
  expect(await on.chain.balance(payer.address)).toBe(1n)
})

describe('signatureSubscribe', () => {
  const subscribed =
    (signature: Signature, config: object = confirmed) =>
    (abortSignal: AbortSignal) =>
      on.subscriptions.signatureNotifications(signature, config).subscribe({ abortSignal })

  test('tells when a transaction lands, and why it failed', async () => {
    const payer = await on.newcomer(1n)
    const good = await on.sign(payer, [memo('good')])
    const bad = await on.sign(payer, [await transferUsdc(payer, seller(), 2n)])
    for (const [{ wire, signature }, err] of [
      [good, null],
      [bad, { InstructionError: [0n, { Custom: 1n }] }],
    ] as const) {
      const send = () => on.rpc.sendTransaction(wire, { encoding: 'base64', skipPreflight: true }).send()
      const [notification] = await notified(subscribed(signature), 1, send)
      expect(notification).toEqual({ context: { slot: expect.any(BigInt) }, value: { err } })
    }
  })

  test('tells what has landed before', async () => {
    const signature = await on.run(await on.newcomer(), [memo('before')])
    const { socket, ask, next } = await connect()
    const told = next('signatureNotification')
    const { result } = await ask({ id: 1, method: 'signatureSubscribe', params: [signature, confirmed] })
    expect(await told).toEqual({
      jsonrpc: '2.0',
      method: 'signatureNotification',
      params: { result: { context: { slot: expect.any(Number) }, value: { err: null } }, subscription: result },
    })
    // It is told once and that is all.
    expect(await ask({ id: 2, method: 'signatureUnsubscribe', params: [result] })).toMatchObject({
      error: { code: -32602 },
    })
    socket.close()
  })

  testHere('waits for the commitment', async () => {
    await on.chain.setTick('off')
    const signature = await on.run(await on.newcomer(), [memo('final')])
    const slot = await on.chain.slot()
    const [notification] = await notified(subscribed(signature, { commitment: 'finalized' }), 1, () =>
      on.chain.step(40),
    )
    expect(notification?.context.slot).toBe(slot + 8n)
    await on.chain.setTick(400)
  })
})

describe('accountSubscribe', () => {
  test('tells every change of an account', async () => {
    const payer = await on.newcomer(5n)
    const account = await tokenAccountOf(payer.address)
    const [notification] = await notified(
      (abortSignal) =>
        on.subscriptions
          .accountNotifications(account, { ...confirmed, encoding: 'jsonParsed' })
          .subscribe({ abortSignal }),
      1,
      async () => on.run(payer, [await transferUsdc(payer, seller(), 2n)]),
    )
    expect(notification).toMatchObject({ value: { data: { parsed: { info: { tokenAmount: { amount: '3' } } } } } })
  })

  testHere('data too long for the default encoding is told as such, and troubles nobody', async () => {
    const { address: where } = await generateKeyPairSigner()
    const { socket, ask, next } = await connect()
    await ask({ id: 1, method: 'accountSubscribe', params: [where, confirmed] })
    const told = next('accountNotification')
    await on.chain.setAccount(where, { lamports: 5_000_000n, owner: where, data: new Uint8Array(129) })
    expect(await told).toMatchObject({
      params: { result: { value: { data: 'error: data too large for bs58 encoding', space: 129 } } },
    })
    socket.close()
  })

  testHere('tells of the end of one, and of levers', async () => {
    const { address: where } = await generateKeyPairSigner()
    const state = { lamports: 5_000_000n, owner: '11111111111111111111111111111111' }
    const seen = await notified(
      (abortSignal) =>
        on.subscriptions.accountNotifications(where, { ...confirmed, encoding: 'base64' }).subscribe({ abortSignal }),
      2,
      async () => {
        await on.chain.setAccount(where, state)
        await on.chain.setAccount(where, undefined)
      },
    )
    expect(seen.map(({ value }) => value.lamports)).toEqual([5_000_000n, 0n])
  })
})

test('slotSubscribe tells every slot', async () => {
  const seen = await notified(
    (abortSignal) => on.subscriptions.slotNotifications().subscribe({ abortSignal }),
    5,
    () => on.chain.step(5),
  )
  const [first] = seen
  expect(seen.map(({ slot, parent }) => ({ slot, parent }))).toEqual(
    seen.map((_, i) => ({ slot: first!.slot + BigInt(i), parent: first!.slot + BigInt(i) - 1n })),
  )
  expect(seen.every(({ root, slot }) => root < slot)).toBe(true)
})

test('logsSubscribe tells the logs of everything, or of what names an account', async () => {
  const [payer, other] = [await on.newcomer(), await on.newcomer()]
  let runs = 0
  const run = async () => {
    runs += 1
    await on.run(other, [memo(`other ${runs}`)])
    return on.run(payer, [memo(`mine ${runs}`)])
  }
  const [mine] = await notified(
    (abortSignal) =>
      on.subscriptions.logsNotifications({ mentions: [payer.address] }, confirmed).subscribe({ abortSignal }),
    1,
    run,
  )
  expect(mine?.value).toEqual({
    signature: expect.any(String),
    err: null,
    logs: expect.arrayContaining([`Program ${memoProgram} invoke [1]`, expect.stringContaining('mine')]),
  })
  const all = await notified(
    (abortSignal) => on.subscriptions.logsNotifications('all', confirmed).subscribe({ abortSignal }),
    2,
    run,
  )
  expect(all).toHaveLength(2)
})

test('on the wire: ids, pings, unsubscribing, mistakes', async () => {
  const { socket, ask } = await connect()
  socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'ping' }))
  const { result } = await ask({ id: '1', method: 'slotSubscribe', params: [] })
  expect(result).toEqual(expect.any(Number))
  expect(await ask({ id: '2', method: 'slotUnsubscribe', params: [result] })).toEqual({
    jsonrpc: '2.0',
    result: true,
    id: '2',
  })
  expect(await ask({ id: 3, method: 'slotUnsubscribe', params: [result] })).toEqual({
    jsonrpc: '2.0',
    error: { code: -32602, message: 'Invalid subscription id.' },
    id: 3,
  })
  expect(await ask({ id: 4, method: 'getBalance', params: [] })).toMatchObject({ error: { code: -32601 }, id: 4 })
  expect(await ask({ id: 5, method: 'accountSubscribe', params: ['x'] })).toMatchObject({
    error: { code: -32602 },
    id: 5,
  })
  expect(await ask({ id: 6, method: 'logsSubscribe', params: [{ mentions: [] }] })).toMatchObject({
    error: { code: -32602 },
    id: 6,
  })
  socket.close()
  await once(socket, 'close')
})

/** A connection, without a client's help. */
async function connect() {
  const socket = new WebSocket(on.chain.wsUrl)
  await once(socket, 'open')
  type Message = Readonly<Record<string, unknown>>
  const first = (fits: (message: Message) => boolean) =>
    new Promise<Message>((resolve) => {
      socket.on('message', function read(data) {
        const message: Message = JSON.parse(String(data))
        if (!fits(message)) return
        socket.off('message', read)
        resolve(message)
      })
    })
  return {
    socket,
    next: (method: string) => first((message) => message.method === method),
    ask(message: { readonly id: unknown; readonly method: string; readonly params: unknown }) {
      const answer = first(({ id }) => id === message.id)
      socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }))
      return answer
    },
  }
}
