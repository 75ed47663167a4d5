import { Readable } from 'node:stream'
import axios, { type AxiosAdapter, type AxiosRequestConfig } from 'axios'
import { describe, expect, test } from 'vitest'
import { type AxiosPayConfig, payWithAxios } from '../src/adapters/axios.js'
import { createBuyer } from '../src/buyer/index.js'
import { createPayer } from '../src/index.js'
import { challenge, honest, offer, paid, type Script, startSeller, v1Challenge } from './support/seller.js'
import { spyScheme } from './support/spy-scheme.js'

type Config = AxiosRequestConfig & AxiosPayConfig

describe.each(['http', 'fetch'] as const)('axios over %s', (adapter) => {
  async function clientFor(script: Script, options: { maxReplayBytes?: number; versions?: (1 | 2)[] } = {}) {
    const seller = await startSeller(script)
    const scheme = spyScheme()
    const client = axios.create({ baseURL: seller.origin, adapter })
    const { versions = [2], ...rest } = options
    const paying = payWithAxios(
      client,
      (fetch) => createPayer({ schemes: [scheme], fetch, policy: { versions }, sleep: async () => {} }),
      rest,
    )
    return { seller, scheme, client, paying }
  }

  test('a request that is asked to pay is paid, and the answer is axios’s own', async () => {
    const { client, paying, seller } = await clientFor(({ payment }) =>
      payment
        ? paid(payment, { headers: { 'content-type': 'application/json' }, body: '{"sky":"clear"}' })
        : challenge({ accepts: [offer()], resource: { url: '/weather?city=Lund' } }),
    )
    const response = await client.get('/weather', { params: { city: 'Lund' }, headers: { 'x-mine': '1' } })
    expect([response.status, response.data]).toEqual([200, { sky: 'clear' }])
    expect(paying.outcome(response)).toMatchObject({ status: 'settled', payment: { amount: 1000n } })
    expect(seller.seen.map(({ path, headers }) => [path, headers['x-mine']])).toEqual([
      ['/weather?city=Lund', '1'],
      ['/weather?city=Lund', '1'],
    ])
  })

  test('CLI-009 a body is sent again as it was', async () => {
    const { client, seller } = await clientFor(honest())
    await client.post('/weather', { city: 'Lund' })
    await client.put('/weather', new URLSearchParams({ a: 'b' }))
    await client.post('/weather', Buffer.from('bytes'))
    expect(seller.seen.map(({ method, body, headers }) => [method, body.toString(), headers['content-type']])).toEqual([
      ...Array(2).fill(['POST', '{"city":"Lund"}', 'application/json']),
      ...Array(2).fill(['PUT', 'a=b', expect.stringContaining('application/x-www-form-urlencoded')]),
      ...Array(2).fill(['POST', 'bytes', expect.any(String)]),
    ])
  })

  test('G25 a body over the limit is sent once, and the call says why it is not paid', async () => {
    const { client, seller, scheme } = await clientFor(honest(), { maxReplayBytes: 10 })
    await expect(client.post('/weather', 'x'.repeat(11))).rejects.toMatchObject({ code: 'body_not_replayable' })
    expect([seller.seen.length, seller.seen[0]?.body.length, scheme.signed]).toEqual([1, 11, []])
    expect((await client.post('/weather', 'x'.repeat(10))).status).toBe(200)
  })

  test('a free answer, a refused 402 and an error are what axios makes of them', async () => {
    const { client, scheme, paying } = await clientFor(({ path }) =>
      path === '/free'
        ? { body: 'free' }
        : path === '/dear'
          ? challenge({ accepts: [offer({ amount: 10n ** 9n })] })
          : { status: 500 },
    )
    expect((await client.get('/free')).data).toBe('free')
    await expect(client.get('/dear')).rejects.toMatchObject({ code: 'ERR_BAD_REQUEST', response: { status: 402 } })
    await expect(client.get('/broken')).rejects.toMatchObject({ code: 'ERR_BAD_RESPONSE', response: { status: 500 } })
    const dear = await client.get('/dear', { validateStatus: () => true })
    expect(paying.outcome(dear)).toMatchObject({ status: 'unpaid', code: 'amount_over_limit' })
    expect(scheme.signed).toEqual([])
  })

  test('G04 a paid request is not redirected to another origin', async () => {
    const elsewhere = await startSeller(() => ({ body: 'mine now' }))
    const { client } = await clientFor(({ payment }) =>
      payment ? { status: 307, headers: { location: elsewhere.url } } : challenge({ accepts: [offer()] }),
    )
    await expect(client.get('/weather')).rejects.toMatchObject({ code: 'cross_origin_redirect' })
    expect(elsewhere.seen).toEqual([])
  })

  test('G03 CL-4 a 402 behind a redirect to another origin is not paid', async () => {
    const elsewhere = await startSeller(honest())
    const { client, scheme, paying } = await clientFor(() => ({ status: 302, headers: { location: elsewhere.url } }))
    const answer = await client.get('/weather', { validateStatus: () => true })
    expect(paying.outcome(answer)).toMatchObject({ status: 'unpaid', code: 'cross_origin_redirect' })
    expect([scheme.signed, elsewhere.presented()]).toEqual([[], []])
  })

  test('a lost answer leads to the same payment again', async () => {
    let lost = false
    const { client, seller, scheme } = await clientFor(({ payment }) => {
      if (payment === undefined) return challenge({ accepts: [offer()] })
      if (lost) return paid(payment, { body: 'sunny' })
      lost = true
      return 'destroy'
    })
    expect((await client.get('/weather')).data).toBe('sunny')
    expect([scheme.signed.length, new Set(seller.presented()).size, seller.presented().length]).toEqual([1, 1, 2])
  })

  test('an abort stops it', async () => {
    const { client } = await clientFor(() => new Promise(() => {}))
    await expect(client.get('/weather', { signal: AbortSignal.timeout(50) })).rejects.toThrow()
  })

  test('v1 sellers are paid where that is allowed', async () => {
    const { client, seller } = await clientFor(({ payment }) => (payment ? paid(payment) : v1Challenge([offer()])), {
      versions: [2, 1],
    })
    expect((await client.get('/weather', { responseType: 'text' })).status).toBe(200)
    expect(seller.seen[1]?.payment?.x402Version).toBe(1)
  })

  test('a buyer pays as well as a payer, and what it is for comes with the call', async () => {
    const seller = await startSeller(honest())
    const client = axios.create({ adapter })
    let buyer: ReturnType<typeof createBuyer> | undefined
    const paying = payWithAxios(client, (fetch) => {
      buyer = createBuyer({ schemes: [spyScheme()], fetch, policy: { perTask: '$0.001' } })
      return buyer
    })
    const config: Config = { metadata: { task: 'a' } }
    await client.get(seller.url, config)
    await expect(client.get(`${seller.url}?2`, config)).rejects.toMatchObject({ response: { status: 402 } })
    const [record] = (await buyer?.purse.records()) ?? []
    expect(record?.metadata).toEqual({ task: 'a' })
    paying.eject()
    await expect(client.get(`${seller.url}?3`)).rejects.toMatchObject({ response: { status: 402 } })
  })
})

test('a stream is sent once: the call says so', async () => {
  const seller = await startSeller(honest())
  const client = axios.create()
  payWithAxios(client, (fetch) => createPayer({ schemes: [spyScheme()], fetch }))
  const sent = client.post(seller.url, Readable.from(['a', 'b']))
  await expect(sent).rejects.toMatchObject({ code: 'body_not_replayable' })
  expect(seller.seen.map(({ body }) => body.toString())).toEqual(['ab'])
})

test('CL-4 where a browser hides a redirect of what is paid, the payment is not at its end', async () => {
  const seller = await startSeller(honest())
  const client = axios.create()
  payWithAxios(client, (fetch) => createPayer({ schemes: [spyScheme()], fetch }))
  const hidden: AxiosAdapter = async (config) => {
    const paidFor = config.headers.has('payment-signature')
    const answer = await axios.getAdapter('http')(config)
    return paidFor ? { ...answer, status: 0, headers: {}, data: '' } : answer
  }
  await expect(client.get(seller.url, { adapter: hidden })).rejects.toMatchObject({ code: 'cross_origin_redirect' })
})
