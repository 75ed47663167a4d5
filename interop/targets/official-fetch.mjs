// The official paying fetch.

import { wrapFetchWithPaymentFromConfig } from '@x402/fetch'
import { answer, answered, initOf } from './lib/answers.mjs'
import { configOf } from './lib/official.mjs'

answer('@x402/fetch', async (asked) => {
  const pay = wrapFetchWithPaymentFromConfig(fetch, await configOf(asked))
  return answered(await pay(asked.request.url, initOf(asked.request)))
})
