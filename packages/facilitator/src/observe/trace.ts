import { type Facilitator, type FacilitatorRequest, type Wrap, X402Error } from '@groat/core'
import {
  context,
  ProxyTracerProvider,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'

const NAME = '@groat/facilitator'

/**
 * Puts verify and settle into spans of OpenTelemetry. Without an SDK that the program has set up, it costs next to nothing and does nothing.
 * Spans have network, scheme and outcome; no payer, no signature.
 *
 * @example
 * const traced = withTracing()(facilitator)
 */
export function withTracing<T extends Facilitator>(): Wrap<T> {
  return (next) => ({
    ...next,
    verify: (request, options) =>
      inSpan('x402.verify', request, async (span) => {
        const verdict = await next.verify(request, options)
        span.setAttribute('x402.outcome', verdict.ok ? 'valid' : verdict.code)
        return verdict
      }),
    settle: (request, options) =>
      inSpan('x402.settle', request, async (span) => {
        const settlement = await next.settle(request, options)
        span.setAttribute('x402.outcome', settlement.status === 'refused' ? settlement.code : settlement.status)
        if (settlement.status === 'settled') span.setAttribute('x402.transaction', settlement.receipt.transaction)
        return settlement
      }),
  })
}

/**
 * Runs the answering of a request in a span, under the trace that the request names.
 *
 * @example
 * await traceRequest('POST /settle', request.headers, () => answer(request))
 */
export async function traceRequest(name: string, headers: Headers, work: () => Promise<unknown>): Promise<void> {
  if (!isTraced()) {
    await work()
    return
  }
  const parent = propagation.extract(context.active(), headers, {
    get: (from, key) => from.get(key) ?? undefined,
    keys: (from) => [...from.keys()],
  })
  await trace.getTracer(NAME).startActiveSpan(name, { kind: SpanKind.SERVER }, parent, async (span) => {
    try {
      await work()
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  })
}

/** What stands where no SDK has been set up: it takes spans and drops them. */
const NOBODY = new ProxyTracerProvider().getDelegate()

function isTraced(): boolean {
  const provider = trace.getTracerProvider()
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NOBODY
}

function inSpan<T>(
  name: string,
  { payment, requirements }: FacilitatorRequest,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const attributes = {
    'x402.version': payment.x402Version,
    'x402.network': requirements.network,
    'x402.scheme': requirements.scheme,
  }
  return trace.getTracer(NAME).startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span)
    } catch (error) {
      span.setAttribute('x402.outcome', X402Error.is(error) ? error.code : 'unexpected')
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  })
}
