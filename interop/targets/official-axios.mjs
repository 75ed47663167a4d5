// The official axios interceptor.

import { wrapAxiosWithPaymentFromConfig } from '@x402/axios'
import axios from 'axios'
import { answer } from './lib/answers.mjs'
import { configOf } from './lib/official.mjs'

answer('@x402/axios', async (asked) => {
  const { method, url, headers, body } = asked.request
  const pay = wrapAxiosWithPaymentFromConfig(axios.create(), await configOf(asked))
  try {
    const { status, data } = await pay.request({ method, url, headers, data: body })
    return { status, body: typeof data === 'string' ? data : JSON.stringify(data) }
  } catch (error) {
    if (error.response === undefined) throw error
    return { status: error.response.status }
  }
})
