import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createJsonRpc, type JsonRpcOptions } from './json-rpc.js'

type Request = { readonly id: number; readonly method: string }
const proof = { method: 'eth_chainId', expected: 1n, accepts: (id: unknown) => id === '0x1' }

/** What a world of calls, and of a node whose answers are given one by one, may do. */
const happening = fc.oneof(
  fc.record({ what: fc.constant('ask' as const), of: fc.constantFrom(1, 1, 2) }),
  fc.record({ what: fc.constant('pass' as const), milliseconds: fc.constantFrom(50, 150, 250) }),
  fc.record({ what: fc.constantFrom('answer' as const, 'refuse' as const, 'limit' as const, 'garble' as const) }),
)

test('every call has an end, whatever nodes do and however long it waited', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 30 }), async (happenings) => {
      let now = 0
      const open: { requests: Request[]; say(body: string): void; refuse(): void }[] = []
      const fetch = ((_: string, { body }: { body: string }) =>
        new Promise((resolve, reject) => {
          const say = (text: string) => resolve(new Response(text))
          open.push({ requests: [JSON.parse(body)].flat(), say, refuse: () => reject(new Error('gone')) })
        })) as unknown as NonNullable<JsonRpcOptions['fetch']>
      const options = { fetch, timeoutMs: 100, maxConcurrency: 1, maxBatch: 4, clock: () => now, jitter: () => -0.5 }
      const rpc = createJsonRpc({ urls: ['http://one.example', 'http://other.example'], proof, ...options })
      const turn = () => new Promise((resolve) => setTimeout(resolve, 0))
      const say = (what: string) => {
        const next = open.shift()
        const limited = { error: { code: -32005, message: 'too many' } }
        const answers = next?.requests.map(({ id, method }) => {
          const result = method === 'eth_chainId' ? '0x1' : method
          return { jsonrpc: '2.0', id, ...(what === 'limit' && id === 0 ? limited : { result }) }
        })
        if (what === 'refuse') next?.refuse()
        else next?.say(what === 'garble' ? '[]' : JSON.stringify(answers))
      }
      let waiting = 0
      for (const each of happenings) {
        if (each.what === 'pass') now += each.milliseconds
        else if (each.what === 'ask') {
          waiting += 1
          const over = () => {
            waiting -= 1
          }
          void (each.of === 1 ? rpc.request('a', []) : rpc.requestOf(each.of, 'b', [])).then(over, over)
        } else say(each.what)
        await turn()
      }
      for (let turns = 0; turns < 500 && waiting > 0; turns++) {
        say('answer')
        await turn()
      }
      expect(waiting).toBe(0)
    }),
    { numRuns: 60 },
  )
})
