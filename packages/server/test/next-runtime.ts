import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'

// What `next start` does with one request to a route handler, by the parts of Next.js that do it: they are CommonJS, and have no types of their own for others.

const require = createRequire(import.meta.url)

/** One `app/…/route.ts`, as Next.js runs it. */
export type NextModule = { handle(request: Request, context: object): Promise<Response> }

// Next.js has a `fetch` of its own, which it takes to be in place: it would be that of every test in this process.
Object.assign(globalThis, { [Symbol.for('next-patch')]: true })
// Global stores that Next.js looks for when its modules are loaded.
require('next/dist/server/node-environment')
const { AppRouteRouteModule } = require('next/dist/server/route-modules/app-route/module.js') as {
  AppRouteRouteModule: new (options: object) => NextModule
}
const { NodeNextRequest, NodeNextResponse } = require('next/dist/server/base-http/node') as {
  NodeNextRequest: new (req: IncomingMessage) => object
  NodeNextResponse: new (res: ServerResponse) => object
}
const { NextRequestAdapter, signalFromNodeResponse } =
  require('next/dist/server/web/spec-extension/adapters/next-request') as {
    NextRequestAdapter: { fromNodeNextRequest(req: object, signal: AbortSignal): Request }
    signalFromNodeResponse(res: ServerResponse): AbortSignal
  }
const { sendResponse } = require('next/dist/server/send-response') as {
  sendResponse(req: object, res: object, response: Response): Promise<void>
}
const { addRequestMeta } = require('next/dist/server/request-meta') as {
  addRequestMeta(req: object, key: string, value: unknown): void
}
const { RouteKind } = require('next/dist/server/route-kind') as { RouteKind: { APP_ROUTE: string } }

/** The module of a path, from what its file exports. */
export function nextModule(pathname: string, userland: object): NextModule {
  return new AppRouteRouteModule({
    definition: {
      kind: RouteKind.APP_ROUTE,
      ...{ page: `${pathname}/route`, pathname, filename: 'route', bundlePath: `app${pathname}/route` },
    },
    userland,
    resolvedPagePath: `app${pathname}/route.ts`,
    ...{ nextConfigOutput: '', distDir: '.next', relativeProjectDir: '', projectDir: '' },
  })
}

/** Serves one request; what a handler throws is answered with 500, as Next.js does. */
export async function serveNext(route: NextModule, req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    const incoming = new NodeNextRequest(req)
    // As with `trustHostHeader`; without it Next.js names the host that it listens on.
    addRequestMeta(incoming, 'initURL', `http://${req.headers.host ?? 'localhost'}${req.url ?? '/'}`)
    const request = NextRequestAdapter.fromNodeNextRequest(incoming, signalFromNodeResponse(res))
    const response = await route.handle(request, {
      params: {},
      prerenderManifest: { version: 4, routes: {}, dynamicRoutes: {}, notFoundRoutes: [], preview: {} },
      renderOpts: {
        experimental: {},
        supportsDynamicResponse: true,
        onClose: (then: () => void) => res.once('close', then),
        waitUntil: () => {},
      },
      sharedContext: { buildId: 'test' },
    })
    await sendResponse(incoming, new NodeNextResponse(res), response)
  } catch {
    if (!res.headersSent) res.statusCode = 500
    res.end()
  }
}
