import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { VerifiedPayment } from '@groat/server'
import { paywall as fetchPaywall, type PaywallOptions, type RouteInput } from '@groat/server'
import { paywall as expressPaywall, paymentErrors } from '@groat/server/express'
import { paymentErrors as fastifyPaymentErrors, paywall as fastifyPaywall } from '@groat/server/fastify'
import { paywall as honoPaywall } from '@groat/server/hono'
import { paywall as nextPaywall } from '@groat/server/next'
import { paywall as nodePaywall } from '@groat/server/node'
import { getRequestListener } from '@hono/node-server'
import express5 from 'express'
import makeFastify from 'fastify'
import { Hono } from 'hono'
import { type Listening, listen } from './listen.js'
import { nextModule, serveNext } from './next-runtime.js'

/** What a handler of the suite makes, in no framework's words. */
export type Made = {
  readonly status?: number
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
}

/** A handler of the suite. */
export type TestHandler = (request: {
  readonly method: string
  readonly path: string
  readonly payment: VerifiedPayment | undefined
}) => Made | Promise<Made>

/** A shop: routes by path, each sold and served in the framework's own way. */
export type Shop = {
  readonly options: PaywallOptions
  readonly routes: Readonly<Record<string, { readonly input: RouteInput; readonly handler: TestHandler }>>
}

/** A shop that is open. */
export type Served = Listening & { readonly ready: () => Promise<void> }

/** Opens a shop. */
export type Framework = {
  readonly name: string
  /** It has middleware that runs before the gate and sets `x-standing: yes` and `vary: Origin` on every response. */
  readonly hasMiddleware: boolean
  /** It has routers that can be mounted: routes under `/api` are served by one. */
  readonly hasRouters: boolean
  readonly open: (shop: Shop) => Promise<Served>
  /** How it spells the address that it is reached at, where that is not as the request does. */
  readonly spells?: (url: string) => string
}

/** The address that a framework is reached at, as it spells it. */
export const spelled = ({ spells = (url) => url }: Framework, url: string): string => spells(url)

export const fetchStyle: Framework = {
  name: 'fetch',
  hasMiddleware: false,
  hasRouters: false,
  open: async ({ options, routes }) => {
    const paid = fetchPaywall(options)
    const handlers = new Map(
      Object.entries(routes).map(([path, { input, handler }]) => [
        path,
        paid(input, async (request, payment) =>
          webResponse(await handler({ method: request.method, path: new URL(request.url).pathname, payment })),
        ),
      ]),
    )
    const serve = (request: Request) =>
      handlers.get(new URL(request.url).pathname)?.(request) ?? new Response(null, { status: 404 })
    // The platform's own Response, as on every runtime that is not Node.
    return opened(
      getRequestListener(serve, {
        overrideGlobalObjects: false,
        errorHandler: () => new Response(null, { status: 500 }),
      }),
      paid.ready,
    )
  },
}

/**
 * Route handlers of the Next.js App Router in Next.js itself: its own reading of the request, its route module, which picks the export of the method and answers HEAD and OPTIONS,
 * and its own sending of the response. What finds the module of a path is ours: Next.js has its build do that.
 */
export const nextRoutes: Framework = {
  name: 'next route handlers',
  hasMiddleware: false,
  hasRouters: false,
  // Every name of this machine is one to Next.js.
  spells: (url) => url.replace('127.0.0.1', 'localhost'),
  open: async ({ options, routes }) => {
    const paid = nextPaywall(options)
    const modules = new Map(
      Object.entries(routes).map(([path, { input, handler }]) => {
        const serve = paid(input, async (request, { payment }) =>
          webResponse(await handler({ method: request.method, path: new URL(request.url).pathname, payment })),
        )
        return [path, nextModule(path, { GET: serve, POST: serve, dynamic: 'force-dynamic' })]
      }),
    )
    return opened((req, res) => {
      const route = modules.get(pathOf(req.url))
      if (route !== undefined) return void serveNext(route, req, res)
      res.statusCode = 404
      res.end()
    }, paid.ready)
  },
}

export const hono: Framework = {
  name: 'hono',
  hasMiddleware: true,
  hasRouters: true,
  open: async ({ options, routes }) => {
    const paid = honoPaywall(options)
    const app = new Hono()
    const api = new Hono()
    app.use(async (c, next) => {
      c.res.headers.set('x-standing', 'yes')
      c.res.headers.set('vary', 'Origin')
      await next()
    })
    // Hono prints errors unless somebody takes them.
    app.onError((_, c) => c.text('Internal Server Error', 500))
    for (const [path, { input, handler }] of Object.entries(routes)) {
      const [router, inner] = path.startsWith('/api/') ? [api, path.slice(4)] : [app, path]
      router.on(['GET', 'POST'], inner, paid(input), async (c) => {
        const made = webResponse(await handler({ method: c.req.method, path: c.req.path, payment: c.get('payment') }))
        return c.newResponse(made.body, made)
      })
    }
    app.route('/api', api)
    return opened(getRequestListener(app.fetch), paid.ready)
  },
}

export const expressNew: Framework = expressFramework('express 5', express5)

/** Express 4 is written against with the same types. */
export const expressOld: Framework = expressFramework('express 4', createRequire(import.meta.url)('express4'))

export const plainNode: Framework = {
  name: 'node:http',
  hasMiddleware: false,
  hasRouters: false,
  open: async ({ options, routes }) => {
    const paid = nodePaywall(options)
    const handlers = new Map(
      Object.entries(routes).map(([path, { input, handler }]) => [
        path,
        paid(input, async (req, res, payment) => {
          const made = await handler({ method: req.method ?? '', path: pathOf(req.url), payment })
          res.statusCode = made.status ?? 200
          for (const [name, value] of made.headers ?? []) res.appendHeader(name, value)
          await write(res, made.body)
        }),
      ]),
    )
    const missing: RequestListener = (_, res) => {
      res.statusCode = 404
      res.end()
    }
    return opened((req, res) => (handlers.get(pathOf(req.url)) ?? missing)(req, res), paid.ready)
  },
}

export const fastify: Framework = {
  name: 'fastify',
  hasMiddleware: true,
  hasRouters: true,
  open: async ({ options, routes }) => {
    const paid = fastifyPaywall(options)
    let listener: RequestListener = () => {}
    const app = makeFastify({
      serverFactory: (handler) => {
        listener = handler
        return createServer()
      },
    })
    app.addHook('onRequest', async (_, reply) => {
      void reply.headers({ 'x-standing': 'yes', vary: 'Origin' })
    })
    app.addHook('onError', fastifyPaymentErrors)
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const serve = (target: typeof app, path: string, shown: string): void => {
      const { input, handler } = routes[shown] ?? raise(shown)
      target.route({
        method: ['GET', 'POST'],
        url: path,
        preHandler: paid(input),
        handler: async (request, reply) => {
          const made = await handler({ method: request.method, path: request.url, payment: request.payment })
          void reply.code(made.status ?? 200)
          for (const [name, value] of made.headers ?? []) void reply.header(name, value)
          return reply.send(
            typeof made.body === 'object' && !(made.body instanceof Uint8Array) ? streamOf(made.body) : made.body,
          )
        },
      })
    }
    for (const path of Object.keys(routes)) if (!path.startsWith('/api/')) serve(app, path, path)
    await app.register(
      async (api) => {
        for (const path of Object.keys(routes))
          if (path.startsWith('/api/')) serve(api as typeof app, path.slice(4), path)
      },
      { prefix: '/api' },
    )
    await app.ready()
    return opened((req, res) => listener(req, res), paid.ready)
  },
}

function pathOf(url = '/'): string {
  return new URL(url, 'http://shop').pathname
}

async function write(res: ServerResponse, body: Made['body']): Promise<void> {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) res.end(body)
  else {
    for await (const chunk of body) if (!res.write(chunk)) break
    res.end()
  }
}

function raise(path: string): never {
  throw new Error(`no route ${path}`)
}

function expressFramework(name: string, make: typeof express5): Framework {
  return {
    name,
    hasMiddleware: true,
    hasRouters: true,
    open: async ({ options, routes }) => {
      const paid = expressPaywall(options)
      const app = make()
      const api = make.Router()
      // Express prints handled errors unless it runs in tests.
      app.set('env', 'test')
      app.use((_, res, next) => {
        res.setHeader('x-standing', 'yes')
        res.setHeader('vary', 'Origin')
        next()
      })
      app.use('/api', api)
      for (const [path, { input, handler }] of Object.entries(routes)) {
        const [router, inner] = path.startsWith('/api/') ? [api, path.slice(4)] : [app, path]
        const serve: express5.RequestHandler = (req, res, next) => {
          void (async () => {
            const {
              status = 200,
              headers = [],
              body,
            } = await handler({ method: req.method, path: req.path, payment: req.payment })
            res.status(status)
            for (const [header, value] of headers) res.append(header, value)
            if (body === undefined || typeof body === 'string') res.send(body)
            else if (body instanceof Uint8Array) res.end(body)
            else {
              for await (const chunk of body) if (!res.write(chunk)) break
              res.end()
            }
          })().catch(next)
        }
        router.get(inner, paid({ ...routeOptions(input), name: `GET ${path}` }), serve)
        router.post(inner, paid({ ...routeOptions(input), name: `POST ${path}` }), serve)
      }
      app.use(paymentErrors)
      return opened(app, paid.ready)
    },
  }
}

function routeOptions(input: RouteInput): Exclude<RouteInput, string | ((...args: never) => unknown)> {
  return typeof input === 'object' ? input : { price: input }
}

function webResponse({ status = 200, headers = [], body }: Made): Response {
  const list = new Headers()
  for (const [name, value] of headers) list.append(name, value)
  return new Response(bodyOf(body), { status, headers: list })
}

function bodyOf(body: Made['body']): BodyInit | null {
  if (body === undefined || typeof body === 'string') return body ?? null
  return body instanceof Uint8Array ? new Uint8Array(body) : streamOf(body)
}

function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await iterator.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    cancel: async () => {
      await iterator.return?.()
    },
  })
}

async function opened(listener: RequestListener, ready: () => Promise<void>): Promise<Served> {
  return { ...(await listen(createServer(listener))), ready }
}
