import { Readable, Writable } from 'node:stream'
import { Agent, Client, FormData, interceptors, request, stream, fetch as undiciFetch } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { type PayingDispatcherOptions, payWithUndici, type UndiciPayOptions } from '../src/adapters/undici.js'
import { createBuyer } from '../src/buyer/index.js'
import { createPayer, type PayerOptions } from '../src/index.js'
import { challenge, honest, offer, paid, type Script, startSeller, v1Challenge } from './support/seller.js'
import { spyScheme } from './support/spy-scheme.js'

type Options = PayingDispatcherOptions & { policy?: PayerOptions['policy']; redirects?: number }

async function dispatcherFor(script: Script, { policy = {}, redirects = 0, ...options }: Options = {}) {
  const seller = await startSeller(script)
  const scheme = spyScheme()
  const paying = payWithUndici(
    (fetch) => createPayer({ schemes: [scheme], fetch, policy, sleep: async () => {} }),
    options,
  )
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  const redirecting = redirects > 0 ? [interceptors.redirect({ maxRedirections: redirects })] : []
  return { seller, scheme, paying, dispatcher: agent.compose([...redirecting, paying.interceptor]) }
}

test('a request that is asked to pay is paid, and the answer is undici’s own', async () => {
  const { seller, dispatcher, paying, scheme } = await dispatcherFor(({ payment }) =>
    payment
      ? paid(payment, { headers: { 'content-type': 'application/json', 'x-many': 'a, b' }, body: '{"sky":"clear"}' })
      : challenge({ accepts: [offer()], resource: { url: '/weather?city=Lund' } }),
  )
  const answer = await request(seller.url, { dispatcher, query: { city: 'Lund' }, headers: { 'x-mine': '1' } })
  expect([answer.statusCode, await answer.body.json()]).toEqual([200, { sky: 'clear' }])
  expect(answer.headers['content-type']).toBe('application/json')
  expect(paying.outcome(answer)).toMatchObject({ status: 'settled', payment: { amount: 1000n } })
  expect(scheme.signed.length).toBe(1)
  expect(seller.seen.map(({ path, headers }) => [path, headers['x-mine']])).toEqual([
    ['/weather?city=Lund', '1'],
    ['/weather?city=Lund', '1'],
  ])
})

test('CLI-009 a body is sent again as it was', async () => {
  const { seller, dispatcher } = await dispatcherFor(honest())
  const send = (body: string | Uint8Array | FormData, headers: Record<string, string> = {}) =>
    request(seller.url, { dispatcher, method: 'POST', body, headers }).then(({ body: answer }) => answer.text())
  const form = new FormData()
  form.set('city', 'Lund')
  const said = [
    await send('{"a":1}', { 'content-type': 'application/json' }),
    await send(Buffer.from([0, 255, 1])),
    await send(form),
  ]
  expect(said).toEqual(['sunny', 'sunny', 'sunny'])
  const [json, jsonAgain, bytes, bytesAgain, , formAgain] = seller.seen
  expect([json?.body.toString(), json?.headers['content-type']]).toEqual(['{"a":1}', 'application/json'])
  expect([jsonAgain?.body, jsonAgain?.headers['content-type']]).toEqual([json?.body, json?.headers['content-type']])
  expect([bytes?.body, bytesAgain?.body]).toEqual([Buffer.from([0, 255, 1]), Buffer.from([0, 255, 1])])
  expect([formAgain?.headers['content-type'], formAgain?.body.toString()]).toEqual([
    expect.stringMatching(/^multipart\/form-data; boundary=/),
    expect.stringContaining('Lund'),
  ])
})

test('G25 a body over the limit and a stream are sent once, and the request says why it is not paid', async () => {
  const { seller, scheme, dispatcher } = await dispatcherFor(honest(), { maxReplayBytes: 10 })
  for (const body of ['x'.repeat(11), Buffer.alloc(11), Readable.from(['a', 'b'])]) {
    const sent = request(seller.url, { dispatcher, method: 'POST', body })
    await expect(sent).rejects.toMatchObject({ code: 'body_not_replayable' })
  }
  expect([seller.seen.map(({ body }) => body.length), scheme.signed]).toEqual([[11, 11, 2], []])
  expect((await request(seller.url, { dispatcher, method: 'POST', body: 'x'.repeat(10) })).statusCode).toBe(200)
})

test('what is free, refused by the policy, or broken comes as undici gives it', async () => {
  const { seller, scheme, dispatcher, paying } = await dispatcherFor(({ path }) =>
    path === '/free'
      ? { body: 'free' }
      : path === '/dear'
        ? challenge({ accepts: [offer({ amount: 10n ** 9n })] })
        : path === '/empty'
          ? { status: 204 }
          : 'destroy',
  )
  const free = await request(`${seller.origin}/free`, { dispatcher })
  expect([await free.body.text(), paying.outcome(free)]).toEqual(['free', undefined])
  expect((await request(`${seller.origin}/empty`, { dispatcher })).statusCode).toBe(204)
  const head = await request(`${seller.origin}/free`, { dispatcher, method: 'HEAD' })
  expect([head.statusCode, await head.body.text()]).toEqual([200, ''])
  const dear = await request(`${seller.origin}/dear`, { dispatcher })
  expect([dear.statusCode, await dear.body.text()]).toEqual([402, '{}'])
  expect(paying.outcome(dear)).toMatchObject({ status: 'unpaid', code: 'amount_over_limit' })
  await expect(request(`${seller.origin}/broken`, { dispatcher })).rejects.toThrow()
  expect(scheme.signed).toEqual([])
})

test('G04 INV-15 a paid request is not redirected to another origin', async () => {
  const elsewhere = await startSeller(() => ({ body: 'mine now' }))
  const { seller, dispatcher } = await dispatcherFor(
    ({ payment }) =>
      payment ? { status: 307, headers: { location: elsewhere.url } } : challenge({ accepts: [offer()] }),
    { redirects: 5 },
  )
  await expect(request(seller.url, { dispatcher })).rejects.toMatchObject({ code: 'cross_origin_redirect' })
  expect(elsewhere.seen).toEqual([])
})

test('G03 CL-4 a 402 behind a redirect to another origin is not paid, whoever followed it', async () => {
  const elsewhere = await startSeller(honest())
  const script: Script = () => ({ status: 302, headers: { location: elsewhere.url } })
  const inside = await dispatcherFor(script, { redirects: 5 })
  const answer = await request(inside.seller.url, { dispatcher: inside.dispatcher })
  expect([answer.statusCode, inside.paying.outcome(answer)]).toMatchObject([402, { code: 'cross_origin_redirect' }])

  const outside = await dispatcherFor(script)
  const fetched = await undiciFetch(outside.seller.url, { dispatcher: outside.dispatcher })
  expect([fetched.status, fetched.redirected]).toEqual([402, true])
  const composed = outside.dispatcher.compose(interceptors.redirect({ maxRedirections: 5 }))
  const followed = await request(outside.seller.url, { dispatcher: composed })
  expect([followed.statusCode, outside.paying.outcome(followed)]).toMatchObject([402, { status: 'unpaid' }])
  expect([...inside.scheme.signed, ...outside.scheme.signed, ...elsewhere.presented()]).toEqual([])
})

test.each([
  ['by several hops', (to: string) => [to, `${to}/b`, `${to}/c`], 1],
  ['by many at once', (to: string) => [to], 4],
  ['to a name that is no ASCII', (to: string) => [`${to}/caf\u00c3\u00a9`], 1],
] as const)('G03 CL-4 a 402 behind a redirect that fetch follows %s is not paid', async (_, hops, callers) => {
  const elsewhere = await startSeller(({ path }) => {
    const at = targets.findIndex((each) => new URL(each).pathname === path)
    const next = at < 0 ? undefined : targets[at + 1]
    return next === undefined ? challenge({ accepts: [offer()] }) : found(next)
  })
  const found = (location: string) => ({ status: 302, headers: { location } })
  const targets = hops(`${elsewhere.origin}/a`)
  let asked = 0
  let go = () => {}
  const together = new Promise<void>((resolve) => {
    go = resolve
  })
  const { seller, dispatcher, scheme } = await dispatcherFor(async () => {
    asked += 1
    if (asked === callers) go()
    await together
    return found(targets[0] ?? '')
  })
  const answers = await Promise.all(
    Array.from({ length: callers }, () => undiciFetch(seller.url, { dispatcher }).then(({ status }) => status)),
  )
  expect([new Set(answers), scheme.signed]).toEqual([new Set([402]), []])
})

test('CL-3 G15 a lost answer leads to the same payment again', async () => {
  let lost = false
  const { seller, scheme, dispatcher } = await dispatcherFor(({ payment }) => {
    if (payment === undefined) return challenge({ accepts: [offer()] })
    if (lost) return paid(payment, { body: 'sunny' })
    lost = true
    return 'destroy'
  })
  expect(await (await request(seller.url, { dispatcher })).body.text()).toBe('sunny')
  expect([scheme.signed.length, new Set(seller.presented()).size, seller.presented().length]).toEqual([1, 1, 2])
})

test('an abort stops it: before it is sent, while it is asked, and while the answer streams', async () => {
  const { seller, dispatcher, scheme } = await dispatcherFor(({ path, payment }) => {
    if (path !== '/endless') return new Promise<never>(() => {})
    if (payment === undefined) return challenge({ accepts: [offer()] })
    return (response) => {
      response.writeHead(200, paid(payment).headers)
      const timer = setInterval(() => response.write('x'.repeat(16_384)), 1)
      response.on('close', () => clearInterval(timer))
    }
  })
  await expect(request(seller.url, { dispatcher, signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow(
    'never',
  )
  expect(seller.seen.length).toBe(0)
  await expect(request(seller.url, { dispatcher, signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    name: 'TimeoutError',
  })
  expect(scheme.signed).toEqual([])
  const stop = new AbortController()
  const { body } = await request(`${seller.origin}/endless`, { dispatcher, signal: stop.signal })
  let size = 0
  const reading = (async () => {
    for await (const chunk of body) {
      size += (chunk as Buffer).length
      if (size > 200_000) stop.abort(new Error('enough'))
    }
  })()
  await expect(reading).rejects.toThrow('enough')
})

test('an answer is read no faster than its reader reads', async () => {
  let written = 0
  const { seller, dispatcher } = await dispatcherFor(({ payment }) =>
    payment === undefined
      ? challenge({ accepts: [offer()] })
      : (response) => {
          response.writeHead(200)
          const more = () => {
            while (written < 50_000_000) {
              written += 65_536
              if (!response.write(Buffer.alloc(65_536))) return void response.once('drain', more)
            }
            response.end()
          }
          more()
        },
  )
  const { body } = await request(seller.url, { dispatcher })
  const chunks = body[Symbol.asyncIterator]()
  await chunks.next()
  expect(written).toBeLessThan(50_000_000)
  let size = 0
  for await (const chunk of { [Symbol.asyncIterator]: () => chunks }) size += (chunk as Buffer).length
  expect(size).toBeGreaterThan(49_000_000)
})

test('stream, fetch and a client of one origin pay as well', async () => {
  const { seller, dispatcher, paying } = await dispatcherFor(honest())
  const chunks: Buffer[] = []
  await stream(seller.url, { dispatcher, method: 'GET' }, () => {
    return new Writable({ write: (chunk, _, done) => done(void chunks.push(chunk)) })
  })
  expect(Buffer.concat(chunks).toString()).toBe('sunny')
  expect(await (await undiciFetch(`${seller.url}?2`, { dispatcher })).text()).toBe('sunny')
  await expect(undiciFetch(`${seller.url}?3`, { dispatcher, method: 'POST', body: 'x' })).rejects.toMatchObject({
    cause: { code: 'body_not_replayable' },
  })
  const own = payWithUndici((fetch) => createPayer({ schemes: [spyScheme()], fetch }), { origin: seller.origin })
  const client = new Client(seller.origin)
  onTestFinished(() => client.destroy())
  const answer = await client.compose(own.interceptor).request({ path: '/weather?4', method: 'GET' })
  expect([await answer.body.text(), own.outcome(answer)?.status]).toEqual(['sunny', 'settled'])
  expect(paying.outcome(answer)?.status).toBe('settled')
})

test('v1 sellers are paid where that is allowed, and a path of two slashes names no host', async () => {
  const { seller, dispatcher } = await dispatcherFor(
    ({ payment }) => (payment ? paid(payment) : v1Challenge([offer()], '//evil.example/x')),
    { policy: { versions: [2, 1], resource: 'any' } },
  )
  const answer = await dispatcher.request({ origin: seller.origin, path: '//evil.example/x', method: 'GET' })
  expect(answer.statusCode).toBe(200)
  expect(seller.seen.map(({ path, payment }) => [path, payment?.x402Version])).toEqual([
    ['//evil.example/x', undefined],
    ['//evil.example/x', 1],
  ])
})

test('a buyer pays as well as a payer, and what it is for comes with the request', async () => {
  const seller = await startSeller(honest())
  let buyer: ReturnType<typeof createBuyer> | undefined
  const paying = payWithUndici((fetch) => {
    buyer = createBuyer({ schemes: [spyScheme()], fetch, policy: { perTask: '$0.001' } })
    return buyer
  })
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  const dispatcher = agent.compose(paying.interceptor)
  const options: Parameters<typeof request>[1] & UndiciPayOptions = { dispatcher, metadata: { task: 'a' } }
  expect(await (await request(seller.url, options)).body.text()).toBe('sunny')
  const second = await request(`${seller.url}?2`, options)
  expect([second.statusCode, paying.outcome(second)]).toMatchObject([402, { code: 'budget_exceeded' }])
  await buyer?.idle()
  const [record] = (await buyer?.purse.records()) ?? []
  expect(record).toMatchObject({ metadata: { task: 'a' }, note: { answerBytes: 5 } })
})
