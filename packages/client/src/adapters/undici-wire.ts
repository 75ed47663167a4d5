import type { Dispatcher } from 'undici'

/** What a dispatcher is asked. `maxRedirections` is a redirect interceptor's. */
export type DispatchOptions = Dispatcher.DispatchOptions & { readonly maxRedirections?: number }

/** An answer of a dispatcher: as a `Response` whose body streams, and what a `Response` cannot say. */
export type Answer = {
  readonly response: Response
  readonly statusMessage: string | undefined
  readonly headers: IncomingHeaders
  readonly rawHeaders: Dispatcher.DispatchController['rawHeaders']
  /** Known when the body has ended. */
  readonly trailers: () => IncomingHeaders
}

type IncomingHeaders = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

/** Whether a status redirects. */
export const isRedirect = (status: number) => status >= 301 && status <= 308 && status !== 304

/**
 * Asks a dispatcher. The body of the answer is read no faster than somebody reads it. Rejects as the dispatcher fails, and with the signal's reason.
 *
 * @example
 * const { response } = await answered(dispatch, options, signal)
 */
export function answered(
  dispatch: Dispatcher.Dispatch,
  options: DispatchOptions,
  signal: AbortSignal | null | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let body: ReadableStreamDefaultController<Uint8Array> | undefined
    let trailers: IncomingHeaders = {}
    let history: readonly URL[] = []
    let giveUp = () => {}
    const fail = (error: unknown) => {
      signal?.removeEventListener('abort', giveUp)
      if (body === undefined) reject(error)
      else body.error(error)
      body = undefined
    }
    signal?.throwIfAborted()
    dispatch(options, {
      onRequestStart(controller, context: { readonly history?: readonly URL[] } | undefined) {
        history = context?.history ?? []
        signal?.removeEventListener('abort', giveUp)
        giveUp = () => controller.abort(asError(signal?.reason))
        if (signal?.aborted) giveUp()
        else signal?.addEventListener('abort', giveUp, { once: true })
      },
      onResponseStart(controller, status, headers, statusMessage) {
        if (status < 200) return
        const stream = new ReadableStream<Uint8Array>(
          {
            start: (own) => {
              body = own
            },
            pull: () => controller.resume(),
            cancel: (reason) => controller.abort(asError(reason)),
          },
          { highWaterMark: 65_536, size: (chunk) => chunk.byteLength },
        )
        const response = new Response(isBodiless(status) ? null : stream, { status, headers: headersFrom(headers) })
        // A redirect interceptor below says where the answer came from.
        const from = history.at(-1)
        if (from !== undefined) Object.defineProperty(response, 'url', { value: from.href })
        resolve({ response, statusMessage, headers, rawHeaders: controller.rawHeaders, trailers: () => trailers })
      },
      onResponseData(controller, chunk) {
        body?.enqueue(chunk)
        if (body !== undefined && (body.desiredSize ?? 0) <= 0) controller.pause()
      },
      onResponseEnd(_, said) {
        signal?.removeEventListener('abort', giveUp)
        trailers = said
        body?.close()
        body = undefined
      },
      onResponseError: (_, error) => fail(error),
    })
  })
}

/**
 * Gives a handler the answer that `ask` comes to, as if a dispatcher had. What the handler aborts, aborts the signal of `ask`, or the body.
 *
 * @example
 * play(handler, {}, (signal) => answered(dispatch, options, signal))
 */
export function play(
  handler: Dispatcher.DispatchHandler,
  context: object,
  ask: (signal: AbortSignal) => Promise<Answer>,
): void {
  const stop = new AbortController()
  let paused = false
  let resume = () => {}
  const controller: Dispatcher.DispatchController = {
    get aborted() {
      return stop.signal.aborted
    },
    get paused() {
      return paused
    },
    get reason() {
      return stop.signal.aborted ? asError(stop.signal.reason) : null
    },
    abort(reason) {
      stop.abort(reason)
      resume()
    },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      resume()
    },
  }
  handler.onRequestStart?.(controller, context)
  const playing = async () => {
    const answer = await ask(stop.signal)
    const { response, statusMessage, headers, rawHeaders } = answer
    controller.rawHeaders = rawHeaders ?? null
    handler.onResponseStart?.(controller, response.status, headers, statusMessage)
    const reader = response.body?.getReader()
    const cancel = () => void reader?.cancel(stop.signal.reason).catch(() => {})
    stop.signal.addEventListener('abort', cancel, { once: true })
    for (;;) {
      while (paused && !stop.signal.aborted) {
        await new Promise<void>((go) => {
          resume = go
        })
      }
      stop.signal.throwIfAborted()
      const chunk = await reader?.read()
      stop.signal.throwIfAborted()
      if (chunk === undefined || chunk.done) break
      handler.onResponseData?.(controller, Buffer.from(chunk.value))
    }
    handler.onResponseEnd?.(controller, answer.trailers())
  }
  playing().catch((error: unknown) => {
    // Aborted while nothing was read: the body below is given up as well.
    handler.onResponseError?.(controller, asError(stop.signal.aborted ? stop.signal.reason : error))
  })
}

function headersFrom(headers: IncomingHeaders): Headers {
  const all = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) all.append(name, one)
  }
  return all
}

const isBodiless = (status: number) => status === 204 || status === 205 || status === 304

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
