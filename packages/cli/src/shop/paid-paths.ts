import { X402Error } from '@groat/core'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import type { ShopConfig } from '../config/shop-config.js'
import { loosePath } from './paths.js'

/** Finds what is registered for a path. */
export const router = <T>(): SmartRouter<T> => new SmartRouter<T>({ routers: [new RegExpRouter(), new TrieRouter()] })

type Routes = ShopConfig['routes']

/** Knows where the paid paths are, also by other spellings. */
export type PaidPaths = {
  /** Whether some server may take this path for a paid one that the shop does not take it for. */
  isDisguised(path: string): boolean
}

/**
 * The paid paths of a shop. An API behind it may decode, lower and shorten what the shop reads as it is written: a path whose loosest reading is
 * sold goes on only by a spelling that is sold for the same (SEC-020).
 */
export function paidPaths(routes: Routes): PaidPaths {
  const [exact, loose] = [router<number>(), router<number>()]
  let hasPaid = false
  routes.forEach(({ path, terms }, index) => {
    if (terms === undefined) return
    hasPaid = true
    exact.add('ALL', path, index)
    loose.add('ALL', path.toLowerCase(), index)
  })
  const found = (where: typeof exact, path: string): readonly number[] =>
    where.match('ALL', path)[0].map(([index]) => index)
  return {
    isDisguised(path) {
      if (!hasPaid || PLAIN.test(path)) return false
      const spelling = loosePath(path)
      if (spelling === undefined) return true
      if (spelling === path) return false
      const meant = found(exact, path)
      return found(loose, spelling).some((index) => !meant.includes(index))
    },
  }
}

/** A path that nobody reads in two ways. */
const PLAIN = /^(?:\/[a-z0-9_-]+)+$/

/** Throws `X402Error` `invalid_config` for a paid route that nobody can reach, because one before it takes all of its requests. */
export function checkOrder(routes: Routes): void {
  const before = router<string>()
  for (const { method, path } of routes) before.add(method, path, `${method} ${path}`)
  for (const { method, path, terms } of routes) {
    const [first] = terms === undefined ? [] : (before.match(method, path)[0][0] ?? [])
    const route = `${method} ${path}`
    if (first !== undefined && first !== route && !isSold(first, routes)) {
      throw new X402Error('invalid_config', {
        route,
        reason: `${first}, which is free, takes its requests: put it after this one`,
      })
    }
  }
}

const isSold = (name: string, routes: Routes): boolean =>
  routes.some(({ method, path, terms }) => `${method} ${path}` === name && terms !== undefined)
