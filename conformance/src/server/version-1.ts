import { type Answer, type Http, isObject, jsonIn, type Silence, type WireRequest } from '../http/exchange.js'
import { encodeHeader } from '../wire/messages.js'

/**
 * Speaks version 1 with a server for checks that are written in the names of version 2: the payment goes into `X-PAYMENT`,
 * and offers and receipt are read where version 1 has them.
 */
export function asVersion1(http: Http): Http {
  return {
    attempt: async (request) => read(await http.attempt(written(request))),
    async send(request) {
      const answer = await http.send(written(request))
      return { ...answer, ...readHeaders(answer) }
    },
  }
}

function written(request: WireRequest): WireRequest {
  const { headers = {} } = request
  const names = Object.entries(headers).map(([name, value]) => [
    name.toLowerCase() === 'payment-signature' ? 'X-PAYMENT' : name,
    value,
  ])
  return { ...request, headers: Object.fromEntries(names) }
}

const read = (answer: Answer | Silence): Answer | Silence =>
  'silent' in answer ? answer : { ...answer, ...readHeaders(answer) }

function readHeaders(answer: Answer): Pick<Answer, 'headers'> {
  const body = answer.status === 402 ? jsonIn(answer) : undefined
  const offers = isObject(body) && Array.isArray(body.accepts) ? { 'payment-required': encodeHeader(body) } : {}
  const receipt = answer.headers['x-payment-response']
  return {
    headers: { ...answer.headers, ...offers, ...(receipt === undefined ? {} : { 'payment-response': receipt }) },
  }
}
