import { compose, errorInfo, type OnEvent, type Wrap, X402Error } from '@groat/core'
import { createWebhookSecret } from '@groat/core/webhook'
import {
  createAccess,
  createApiKey,
  createFacilitator,
  createLocalList,
  type FacilitatorService,
  type HealthReason,
  type ServedFacilitator,
  serveApp,
  serveFacilitator,
  type WithScreeningOptions,
  withScreening,
} from '@groat/facilitator'
import { createAdminApp, createOverview } from '@groat/facilitator/admin'
import { createCatalogue, createProber, sellersAmong, withCatalogue } from '@groat/facilitator/bazaar'
import { createLog, createMetrics, withTracing } from '@groat/facilitator/observe'
import { facilitatorSchema, readFacilitatorConfig } from '../config/facilitator-config.js'
import type { OperationConfig } from '../config/operation-config.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { readable } from '../terminal/log-line.js'
import { namingPort, probePort } from '../terminal/taken-port.js'
import { openNamedStore, withoutSecrets } from './open-store.js'
import { nameOf } from './refusal.js'
import { schemesOf } from './schemes.js'
import { namingNodes } from './silent-nodes.js'
import { undelegated, warnOf } from './undelegated.js'

/** Options of `groat facilitator`. */
export type FacilitatorCommand = {
  readonly check?: boolean
  readonly json?: boolean
  readonly version?: string
}

/** `groat facilitator --schema`: the JSON Schema of the file. */
export function printFacilitatorSchema(io: Io): number {
  io.out(`${JSON.stringify(facilitatorSchema(), null, 2)}\n`)
  return exitCodes.ok
}

/** `groat facilitator secret`: a secret for an endpoint of webhooks. Where it goes is said to whoever looks on: what is piped is the secret alone. */
export function makeSecret({ json = false }: FacilitatorCommand, io: Io): number {
  const secret = createWebhookSecret()
  io.out(json ? `${JSON.stringify({ secret })}\n` : `${secret}\n`)
  if (!json && io.progress !== undefined) io.say(`  ${FOR_SECRET}`)
  return exitCodes.ok
}

const FOR_SECRET =
  'For `secrets` of a webhook in the file, out of the environment, and for its receiver, who checks signatures with it. It is shown this once.'

/** `groat facilitator FILE`: verifies and settles until it is told to stop. Prints one JSON line when it serves. */
export async function runFacilitator(
  file: string,
  { check = false, json = false, version = '0.0.0' }: FacilitatorCommand,
  io: Io,
): Promise<number> {
  const config = await readFacilitatorConfig(file, io.environment)
  if (check) {
    await checkList(config.operation)
    io.say(`${file} is valid`)
    return exitCodes.ok
  }
  const { operation, host, port, engine } = config
  // Before anything is made or asked: it is what is wrong most often.
  await probePort({ host, port }, 'listen')
  if (operation.admin !== undefined) await probePort(operation.admin, 'admin.listen')
  const store = await openNamedStore(config.store)
  const schemes = await schemesOf(config.networks, store, operation.builderCodes).catch(async (error: unknown) => {
    await store.close()
    throw error
  })
  const log = createLog({
    level: operation.logLevel,
    hintForHour: config.hintForHour,
    write: (line) => io.say(json ? line.trimEnd() : readable(line, io)),
  })
  const { onFault, onEndpoint } = log
  const webhooks = operation.webhooks && { ...operation.webhooks, onEndpoint }
  const metrics = createMetrics({ endpoints: (webhooks?.endpoints ?? []).map(({ id }) => id) })
  const onEvent: OnEvent = (event) => {
    log.onEvent(event)
    metrics.onEvent(event)
  }
  const settling = createFacilitator({ schemes, store, onEvent, onFault, ...engine, ...(webhooks && { webhooks }) })
  const { bazaar } = operation
  const catalogue = bazaar && createCatalogue({ store, onFault, ...bazaar })
  const prober =
    bazaar?.probeEvery === undefined
      ? undefined
      : createProber({ store, onFault, every: bazaar.probeEvery, allowPrivate: bazaar.allowPrivate })
  const service = guarded(
    catalogue === undefined
      ? settling
      : withCatalogue(catalogue, { isSeller: sellersAmong(operation.tenants ?? []) })(settling),
    operation,
    {
      store,
      onEvent,
      onFault,
    },
  )
  const access = createAccess(service, {
    ...(operation.tenants === undefined ? {} : { tenants: operation.tenants }),
    limits: operation.limits,
    onDenied(denial) {
      log.onDenied(denial)
      metrics.onDenied(denial)
    },
  })
  const overview = createOverview({ service, store, pressure: access.pressure })
  const opened: ServedFacilitator[] = []
  try {
    await service.start().catch((error: unknown) => Promise.reject(namingNodes(error, config.networks)))
    await prober?.start()
    const { trustedProxies, admin } = operation
    opened.push(
      await serveFacilitator(service, {
        ...{ host, port, access, metrics, overview, trustedProxies, onFault, version },
        ...(catalogue && { catalogue }),
      }).catch((error: unknown) => Promise.reject(namingPort(error, 'listen'))),
    )
    if (admin !== undefined) {
      const { tokenHash } = admin
      const app = createAdminApp({
        store,
        overview,
        health: () => service.health(),
        metrics,
        onFault,
        ...(tokenHash === undefined ? {} : { tokenHash }),
      })
      const own = serveApp(app.fetch, admin)
      opened.push(await own.catch((error: unknown) => Promise.reject(namingPort(error, 'admin.listen'))))
    }
    const [served, operator] = opened
    const ready = {
      url: served?.url,
      store: withoutSecrets(config.store),
      replica: service.replica,
      ...(operator === undefined ? {} : { admin: operator.url }),
    }
    io.out(`${JSON.stringify({ ready })}\n`)
    for (const reason of (await service.health()).reasons) warn(reason, json, io)
    for (const one of await undelegated(config.networks)) warnOf(one, json, io)
    await io.stopped
  } finally {
    await Promise.all(opened.map((each) => each.close()))
    await prober?.stop()
    await service.stop()
    await store.close()
    log.flush()
  }
  return exitCodes.ok
}

/** `groat facilitator key`: an API key, and the hash of it that the configuration takes. */
export function makeKey({ json = false }: FacilitatorCommand, io: Io): number {
  const { key, hash } = createApiKey()
  if (json) io.out(`${JSON.stringify({ key, hash })}\n`)
  else io.out(`key   ${key}   give it to its holder; it is shown this once\nhash  ${hash}   put it into the file\n`)
  return exitCodes.ok
}

/** Spans outside, then whoever may turn a payment down. */
function guarded(
  facilitator: FacilitatorService,
  { screening }: OperationConfig,
  parts: Pick<WithScreeningOptions, 'store' | 'onEvent' | 'onFault'>,
): FacilitatorService {
  const wraps: Wrap<FacilitatorService>[] = [withTracing()]
  if (screening !== undefined)
    wraps.push(withScreening({ provider: createLocalList(screening), requires: screening.requires, ...parts }))
  return compose(...wraps)(facilitator)
}

/** A list that decides nothing lets nothing be settled: that is better said before the start. */
async function checkList({ screening }: OperationConfig): Promise<void> {
  if (screening === undefined) return
  await createLocalList(screening)
    .ready?.()
    .catch((cause: unknown) => {
      if (!X402Error.is(cause)) throw cause
      const reason = cause.context.reason ?? errorInfo(cause.code).title
      throw new CliError('usage', `${screening.file}: ${reason}`, 'Until then nothing is settled.', { cause })
    })
}

/** What stands in the way of payments before there is one. */
function warn(reason: HealthReason, json: boolean, { say, style }: Io): void {
  const where = reason.part === 'chain' ? nameOf(reason.network) : reason.part
  const detail = 'detail' in reason ? reason.detail : undefined
  const what = reason.part === 'service' ? reason.state : `${detail ?? errorInfo(reason.code).title} (${reason.code})`
  const signer = reason.part === 'chain' && reason.signer !== undefined ? ` ${reason.signer}` : ''
  say(json ? JSON.stringify({ type: 'not_ready', ...reason }) : `${style.bad('not ready')}  ${where}: ${what}${signer}`)
}
