import { isObject, jsonIn, objectIn } from '../http/exchange.js'
import { both } from '../model/check.js'
import { expectSame, expectThat, fail, notApplicable, warn } from '../model/finding.js'
import { expectMessage } from '../spec/messages.js'
import { errorCodes } from '../spec/requirements.js'
import { expectRefused, expectSettled, expectValid } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith } from './check.js'
import { expectMoved } from './stage.js'

const check = facilitatorChecksWith()
const onChains = { families: both }

/** What the API of a facilitator looks like, whatever the scheme. */
export const apiChecks: readonly FacilitatorCheck[] = [
  check('FAC-001/endpoints', '/supported, /verify and /settle are served', async (stage) => {
    const supported = await stage.http.send({ url: stage.url('/supported') })
    expectSame('GET /supported', 200, supported.status)
    objectIn(supported, 'the answer of GET /supported')
    for (const path of ['/verify', '/settle'] as const) {
      const answer = await stage.post(path, {})
      objectIn(answer, `the answer of POST ${path}`)
      const { status } = answer
      expectThat(![404, 405, 501].includes(status), `POST ${path} is not served`, 'any verdict', status)
    }
  }),
  check('FAC-060/kinds', '/supported lists the served kinds in the form of its schema', async (stage) => {
    const supported = await stage.supported()
    expectMessage('v2/SupportedResponse', supported)
    expectThat(supported.kinds.length > 0, '/supported lists no kind', 'at least one')
  }),
  check('FAC-060/once', 'no kind is listed twice', async (stage) => {
    const names = (await stage.supported()).kinds.map((kind) => `${kind.x402Version} ${kind.scheme} ${kind.network}`)
    const twice = names.find((name, at) => names.indexOf(name) !== at)
    expectThat(twice === undefined, 'a kind is listed twice', 'each once', twice)
  }),
  check('FAC-061/concrete', 'networks in kinds are concrete, not patterns', async (stage) => {
    const pattern = (await stage.supported()).kinds.find(({ network }) => String(network).includes('*'))
    expectThat(pattern === undefined, 'a kind has a pattern for its network', 'a network', pattern?.network)
  }),
  check(
    'FAC-062/names',
    'kinds of version 1 have names of version 1, kinds of version 2 have CAIP-2 names',
    async (stage) => {
      for (const { x402Version, network } of (await stage.supported()).kinds) {
        const isCaip2 = /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/.test(String(network))
        expectThat(
          isCaip2 === (x402Version === 2),
          `a kind of version ${x402Version} has the wrong form of name`,
          undefined,
          network,
        )
      }
    },
  ),
  check('FAC-063/extensions', '/supported lists extensions as an array of text', async (stage) => {
    const { extensions } = await stage.supported()
    const right = Array.isArray(extensions) && extensions.every((each) => typeof each === 'string')
    expectThat(right, '`extensions` of /supported', 'an array of names', extensions)
  }),
  check(
    'FAC-064/signers',
    '/supported lists who sends, by pattern of networks',
    async (stage) => {
      const { signers } = await stage.supported()
      const pattern = `${stage.rail.network.split(':')[0]}:*`
      const found = isObject(signers) ? signers[pattern] : undefined
      const right = Array.isArray(found) && found.length > 0 && found.every((each) => typeof each === 'string')
      expectThat(right, `\`signers\` of /supported has no addresses under ${pattern}`, 'an array of addresses', signers)
    },
    onChains,
  ),
  check(
    'FAC-065/settles',
    'what is listed can be settled',
    async (stage) => {
      const scene = await stage.scene()
      expectSettled(await stage.settle(scene.payment, scene.requirements), `a payment of a kind that is listed`)
    },
    onChains,
  ),
  check('FAC-007/not-an-object', 'a body that is no JSON object is answered with 400', async (stage) => {
    for (const body of ['', '{', '[]', '"text"', '7', 'null', '<html>']) {
      for (const path of ['/verify', '/settle'] as const) {
        const { status } = await stage.post(path, body)
        expectSame(`the status of POST ${path} with the body ${body || '(none)'}`, 400, status)
      }
    }
  }),
  check('FAC-016/media-type', 'a body that is not application/json is answered with 415', async (stage) => {
    const headers = { 'content-type': 'text/plain' }
    const { status } = await stage.http.send({ method: 'POST', url: stage.url('/verify'), headers, body: '{}' })
    expectSame('the status', 415, status)
  }),
  check('FAC-008/large-body', 'a body of 8 MiB is refused and does no harm', async (stage) => {
    const body = `{"x402Version":2,"padding":"${'x'.repeat(8 << 20)}"}`
    const headers = { 'content-type': 'application/json' }
    // A target may close the connection rather than read on: that bounds it too.
    const found = await stage.http.attempt({ method: 'POST', url: stage.url('/verify'), headers, body })
    if ('silent' in found && found.timedOut) fail('8 MiB are answered', 'a refusal', `the target ${found.silent}`)
    if (!('silent' in found)) {
      expectThat(found.status >= 400 && found.status < 500, '8 MiB are not refused', '413', found.status)
    }
    expectSame(
      'the status of /supported afterwards',
      200,
      (await stage.http.send({ url: stage.url('/supported') })).status,
    )
  }),
  check(
    'FAC-004/no-version',
    'a request without x402Version at its top is accepted',
    async (stage) => {
      const { payment, requirements } = await stage.scene()
      const answer = await stage.post('/verify', { paymentPayload: payment, paymentRequirements: requirements })
      expectSame(
        'isValid',
        true,
        isObject(jsonIn(answer)) ? (jsonIn(answer) as { isValid?: unknown }).isValid : answer.text,
      )
    },
    onChains,
  ),
  check(
    'FAC-006/contradiction',
    'a request whose top contradicts the version of the payment is refused',
    async (stage) => {
      const { payment, requirements } = await stage.scene()
      const answer = await stage.post('/verify', {
        x402Version: 1,
        paymentPayload: payment,
        paymentRequirements: requirements,
      })
      const body = jsonIn(answer)
      const isValid = isObject(body) ? body.isValid : undefined
      expectThat(isValid !== true && answer.status < 500, 'a contradiction is accepted', 'a refusal', answer.text)
    },
    onChains,
  ),
  check(
    'FAC-020/verdict',
    'a verdict, good or bad, is a VerifyResponse with status 200',
    async (stage) => {
      const scene = await stage.scene()
      const poor = await stage.scene({ holds: 0n })
      for (const { payment, requirements } of [scene, poor]) {
        const { answer, body } = await stage.verify(payment, requirements)
        expectSame('the status of a verdict', 200, answer.status)
        expectMessage('v2/VerifyResponse', body)
      }
    },
    onChains,
  ),
  check(
    'FAC-021/code',
    'the reason of a refusal is a code of the registry',
    async (stage) => {
      const { payment, requirements } = await stage.scene({ holds: 0n })
      const { reason, answer } = await stage.verify(payment, requirements)
      expectThat(reason !== undefined, 'a refusal has no invalidReason', 'a code', answer.text)
      if (!errorCodes.has(reason)) warn('invalidReason is no code of the registry', undefined, reason)
    },
    onChains,
  ),
  check(
    'FAC-022/no-reason',
    'a payment that is valid has no invalidReason',
    async (stage) => {
      const { payment, requirements } = await stage.scene()
      const verdict = await stage.verify(payment, requirements)
      expectValid(verdict)
      const { invalidReason } = verdict.body
      expectThat(invalidReason === undefined, 'a valid payment has an invalidReason', 'none', invalidReason)
    },
    onChains,
  ),
  check(
    'FAC-023/payer',
    'the verdict names the payer',
    async (stage) => {
      const { payment, requirements, payer } = await stage.scene()
      const { body } = await stage.verify(payment, requirements)
      expectSame('the payer', payer.address.toLowerCase(), String(body.payer).toLowerCase())
    },
    onChains,
  ),
  check(
    'FAC-024/verify-moves-nothing',
    '/verify moves nothing',
    async (stage) => {
      const scene = await stage.scene()
      for (let times = 0; times < 3; times++) await stage.verify(scene.payment, scene.requirements)
      await expectMoved(stage, scene, 0)
    },
    onChains,
  ),
  check(
    'FAC-025/verify-claims-nothing',
    'a payment can be verified again, and settled afterwards',
    async (stage) => {
      const scene = await stage.scene()
      for (let times = 0; times < 2; times++) expectValid(await stage.verify(scene.payment, scene.requirements))
      expectSettled(await stage.settle(scene.payment, scene.requirements), 'a payment that was verified twice')
      await expectMoved(stage, scene, 1)
    },
    onChains,
  ),
  check('FAC-082/unknown', 'an unknown identity is answered with 404', async (stage) => {
    const { status } = await stage.http.send({ url: stage.url(`/settlements/${'0'.repeat(64)}`) })
    expectSame('the status', 404, status)
  }),
  check(
    'FAC-080/settled',
    'GET /settlements/{pid} tells what became of a payment, without its signature',
    async (stage) => {
      const scene = await stage.scene()
      const receipt = await stage.settle(scene.payment, scene.requirements)
      expectSettled(receipt)
      const pid = stage.rail.identity(scene.terms, scene.payload)
      const answer = await stage.http.send({ url: stage.url(`/settlements/${pid}`) })
      if (answer.status === 404 && !answer.text.includes('settlement_not_found'))
        notApplicable('there is no /settlements')
      const body = jsonIn(answer)
      const said = isObject(body) ? [body.status, body.transaction] : [answer.status]
      expectSame('status and transaction', ['settled', receipt.transaction], said)
      const secret = JSON.stringify(scene.payload).match(/[0-9a-zA-Z+/]{80,}/)?.[0]
      expectThat(secret === undefined || !answer.text.includes(secret), 'the answer discloses the signed payment')
    },
    onChains,
  ),
  check('FAC-090/livez', 'GET /livez answers 200', async (stage) => {
    expectSame('the status', 200, (await stage.http.send({ url: stage.url('/livez') })).status)
  }),
  check('FAC-091/readyz', 'GET /readyz answers 200 while payments are taken', async (stage) => {
    expectSame('the status', 200, (await stage.http.send({ url: stage.url('/readyz') })).status)
  }),
  check(
    'SEC-005/prototype',
    'names such as __proto__ in a message change nothing',
    async (stage) => {
      const { payment, requirements } = await stage.scene({ holds: 0n })
      const body = JSON.stringify({ x402Version: 2, paymentPayload: payment, paymentRequirements: requirements })
      const hostile = body.replace(
        /^\{/,
        '{"__proto__":{"isValid":true,"success":true},"constructor":{"prototype":{}},',
      )
      await stage.post('/verify', hostile)
      expectRefused(
        await stage.verify(payment, requirements),
        [],
        'a payer without money, after a message with __proto__',
      )
    },
    onChains,
  ),
]
