import { unwatchFile, watchFile } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { X402Error } from '@groat/core'
import { createLog } from '@groat/facilitator/observe'
import { type ClaimStore, createMemoryClaims } from '@groat/server'
import type { Ledger } from '@groat/server/ledger'
import type { Refunds } from '@groat/server/refunds'
import { sqlClaims } from '@groat/server/sql'
import { readShopConfig, type ShopConfig, shopSchema } from '../config/shop-config.js'
import { serveOn } from '../sandbox/serve.js'
import { createShopAdmin } from '../shop/admin-app.js'
import { type ClaimTelling, startClaiming } from '../shop/claim-loop.js'
import { createKeeping } from '../shop/keeping.js'
import { createShopApp, type ShopApp, type ShopParts } from '../shop/shop-app.js'
import { openChannels } from '../shop/shop-channels.js'
import { openExtensions } from '../shop/shop-extensions.js'
import { facilitatorOf, knock, type TurnedAway } from '../shop/shop-facilitator.js'
import { openHolds } from '../shop/shop-holds.js'
import { openLedger } from '../shop/shop-ledger.js'
import { proving } from '../shop/shop-proofs.js'
import { openRefundRequests, openRefunds } from '../shop/shop-refunds.js'
import { counted } from '../terminal/counted.js'
import { exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { readable } from '../terminal/log-line.js'
import { openNamedStore } from './open-store.js'

/** Options of `groat serve`. */
export type ServeCommand = { readonly check?: boolean; readonly json?: boolean; readonly schema?: boolean }

/** `groat serve FILE`: sells the routes of an API until it is told to stop. A file that changes is read again. */
export async function runServe(
  file: string | undefined,
  { check = false, json = false, schema = false }: ServeCommand,
  io: Io,
): Promise<number> {
  if (schema) {
    io.out(`${JSON.stringify(shopSchema(), null, 2)}\n`)
    return exitCodes.ok
  }
  if (file === undefined) {
    io.say('groat serve FILE.yaml (groat serve --help shows what there is)')
    return exitCodes.usage
  }
  const config = await readShopConfig(file, io.environment)
  if (check) {
    const extensions = await openExtensions(undefined, config)
    const refundRequests = openRefundRequests(undefined, config)
    await open(config, {
      facilitator: facilitatorOf(config),
      claims: checkedClaims(config),
      extensions,
      refundRequests,
      onEvent: () => {},
    })
    io.say(`${file} is valid: ${counted(config.routes.length, 'route')}`)
    return exitCodes.ok
  }
  const log = createLog({ write: (line) => io.say(json ? line.trimEnd() : readable(line, io)) })
  const store = await openNamedStore(config.store)
  const running: { stop(): Promise<unknown> }[] = []
  try {
    const refunding = createKeeping<Refunds>()
    const booking = createKeeping<Ledger>()
    running.push(booking, refunding)
    const build = async (from: ShopConfig) => {
      const asked = facilitatorOf(from, turnedAwayTold(json, io))
      const ledger = await openLedger(store, from.books)
      const refunds = from.refunds && (await openRefunds(ledger, asked, from.refunds, from.books))
      const claims = await sqlClaims(store, { ledger, ...(refunds && { refunds }) })
      const captures = from.holds && (await openHolds(ledger, asked, from.holds))
      const extensions = await openExtensions(store, from)
      const settling = captures?.facilitator ?? asked
      const channels = from.channels && (await openChannels(store, settling, from.channels, from.books))
      const facilitator = proving(channels?.ledger.facilitator ?? settling, from)
      const refundRequests = openRefundRequests(refunds, from)
      const app = await open(from, { facilitator, claims, extensions, refundRequests, onEvent: log.onEvent })
      await app.ready()
      await knock(asked)
      return { ...app, captures, channels, refunds, ledger, admin: from.admin }
    }
    let shop = await build(config)
    const keep = (): void => {
      booking.use(shop.ledger)
      refunding.use(shop.refunds)
    }
    keep()
    const admin =
      config.admin &&
      createShopAdmin({
        config: () => shop.admin,
        // What it reads is the database's: any of them will do.
        ledger: shop.ledger,
        refunds: () => shop.refunds,
        captures: () => shop.captures,
        channels: () => shop.channels,
      })
    running.push(startClaiming(() => shop.channels, claimsTold(json, io)))
    const served = await serveOn((request, env) => shop.fetch(request, env), { ...config, field: 'listen' })
    running.push({ stop: () => served.close() })
    let takesUpgrades = false
    const takeUpgrades = (): void => {
      if (takesUpgrades || !shop.hasSockets) return
      takesUpgrades = true
      served.onUpgrade((req, socket, head) => {
        const isSocket = /^websocket$/i.test(req.headers.upgrade ?? '')
        const listener = isSocket ? shop.upgradeAt(pathIn(req.url)) : undefined
        listener?.(req, socket, head)
        return listener !== undefined
      })
    }
    takeUpgrades()
    const own =
      config.admin &&
      admin &&
      (await serveOn((request) => admin.fetch(request), { ...config.admin, field: 'admin.listen' }))
    if (own !== undefined) running.push({ stop: () => own.close() })
    const ready = { url: served.url, upstream: config.upstream.href, ...(own && { admin: own.url }) }
    io.out(`${JSON.stringify({ ready })}\n`)
    let readings = 0
    const reload = async (): Promise<void> => {
      const reading = ++readings
      try {
        const from = await readShopConfig(file, io.environment)
        for (const [path, part] of fixedParts) {
          if (!isDeepStrictEqual(part(from), part(config))) throw from.wrong(path, FIXED)
        }
        const next = await build(from)
        // An older file whose facilitator took its time must not take the place of a newer one.
        if (reading !== readings) return io.say(`${file} was read again, and has changed since`)
        shop = next
        keep()
        takeUpgrades()
        io.say(`${file} was read again`)
      } catch (error) {
        io.say(`${file} changed and was not taken: ${error instanceof Error ? error.message : 'not valid'}`)
      }
    }
    watchFile(file, { interval: 500 }, () => void reload())
    await io.stopped
    unwatchFile(file)
  } finally {
    for (const each of running.reverse()) await each.stop()
    await store.close()
    log.flush()
  }
  return exitCodes.ok
}

/** What a running shop cannot take from a file that is read again: who is connected would be cut off, and what was paid for forgotten. */
const fixedParts: readonly (readonly [path: readonly string[], (config: ShopConfig) => unknown])[] = [
  [['listen'], ({ host, port }) => [host, port]],
  [['store'], ({ store }) => store],
  [['admin', 'listen'], ({ admin }) => admin && [admin.host, admin.port]],
]

const FIXED = 'changes only when groat serve is started again; nothing of the file was taken'

/** Writes a line of the log. */
function logOf(json: boolean, io: Io) {
  return (level: string, msg: string, rest: object): void => {
    const line = JSON.stringify({ level, time: new Date().toISOString(), ...rest, msg })
    io.say(json ? line : readable(line, io))
  }
}

/** Says in the log that the facilitator has turned the shop away; buyers only hear that it cannot sell now. */
function turnedAwayTold(json: boolean, io: Io): (told: TurnedAway) => void {
  const say = logOf(json, io)
  return ({ code, ...told }) => say(code === 'facilitator_busy' ? 'warn' : 'error', code, told)
}

/** Says what was claimed, in the log. */
function claimsTold(json: boolean, io: Io): ClaimTelling {
  const say = logOf(json, io)
  return {
    onRun: ({ claimed, refused, transactions }) => {
      if (claimed.length > 0) say('info', 'claimed', { channels: claimed.length, transactions })
      if (refused.length > 0) say('error', 'claim_refused', { channels: refused })
    },
    onFailure: (error) => say('error', 'claim_failed', { code: X402Error.is(error) ? error.code : 'unexpected' }),
  }
}

/** The path that a request asks for, as it is spelled. */
function pathIn(url = '/'): string {
  return URL.canParse(url, 'http://shop') ? new URL(url, 'http://shop').pathname : '/'
}

/** Claims that are never asked, for a file that is only looked at. */
function checkedClaims({ refunds }: ShopConfig): ClaimStore {
  const claims = createMemoryClaims({ singleProcess: true })
  return refunds === undefined ? claims : { ...claims, refund: async () => false }
}

/** Opens a shop; what is wrong with a route is said with its line. */
async function open(config: ShopConfig, parts: ShopParts): Promise<ShopApp> {
  try {
    return await createShopApp(config, parts)
  } catch (error) {
    throw config.explain(error)
  }
}
