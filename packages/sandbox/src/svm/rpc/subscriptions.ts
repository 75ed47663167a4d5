import type { LandedTransaction } from '../bank/ledger.js'
import { encodeAccount } from '../parsed/account.js'
import { accountConfig } from './account-config.js'
import { encodeJson } from './json.js'
import type { Node } from './node.js'
import {
  asAddress,
  asSignature,
  commitmentIn,
  configAt,
  flagIn,
  isConfig,
  type Params,
  textAt,
  textsAt,
} from './params.js'
import { invalidParams } from './rpc-error.js'

/** Something a client waits for. */
export interface Subscription {
  /** The method of its notifications. */
  readonly notification: string
  /** What has happened since the last time it was asked, oldest first. */
  news(): readonly unknown[]
  /** Nothing will happen any more. */
  readonly done?: boolean
}

/** Starts to wait for something; undefined for a method that is none of these. Throws -32602. */
export function subscribe(method: string, params: Params, node: Node): Subscription | undefined {
  return Object.hasOwn(kinds, method) ? kinds[method]?.(params, node) : undefined
}

const kinds: Readonly<Record<string, (params: Params, node: Node) => Subscription>> = {
  accountSubscribe(params, node) {
    const address = asAddress(textAt(params, 0))
    const config = configAt(params, 1)
    const commitment = commitmentIn(config)
    const how = accountConfig(config, 'binary')
    const read = () => {
      const view = node.view(commitment)
      const state = view.account(address)
      return { view, value: state ? encodeAccount(state, how.encoding, view.account, how.slice) : nobody }
    }
    let last = encodeJson(read().value)
    return {
      notification: 'accountNotification',
      news() {
        const { view, value } = read()
        const now = encodeJson(value)
        if (now === last) return []
        last = now
        return [context(view.slot, value)]
      },
    }
  },

  signatureSubscribe(params, node) {
    const id = asSignature(textAt(params, 0))
    const config = configAt(params, 1)
    const commitment = commitmentIn(config)
    let receiving = flagIn(config, 'enableReceivedNotification')
    let done = false
    return {
      notification: 'signatureNotification',
      get done() {
        return done
      },
      news() {
        const found: unknown[] = []
        if (receiving && node.view('processed').landed(id)) {
          receiving = false
          found.push(context(node.view('processed').slot, 'receivedSignature'))
        }
        const view = node.view(commitment)
        const landed = view.landed(id)
        if (landed) {
          done = true
          found.push(context(view.slot, { err: landed.execution.error ?? null }))
        }
        return found
      },
    }
  },

  slotSubscribe(_, node) {
    let last = node.view('processed').slot
    return {
      notification: 'slotNotification',
      news() {
        const { slot } = node.view('processed')
        const lag = slot - node.view('finalized').slot
        const first = Math.min(last, slot) + 1
        last = slot
        return Array.from({ length: slot - first + 1 }, (_unused, i) => {
          const each = first + i
          return { slot: each, parent: each - 1, root: each - lag }
        })
      },
    }
  },

  logsSubscribe(params, node) {
    const mentioned = mentionedIn(params[0])
    const commitment = commitmentIn(configAt(params, 1))
    let seen = countOf(node.bank.landed, node.view(commitment).slot)
    return {
      notification: 'logsNotification',
      news() {
        const view = node.view(commitment)
        const known = countOf(node.bank.landed, view.slot)
        const fresh = node.bank.landed.slice(Math.min(seen, known), known)
        seen = known
        return fresh
          .filter(({ keys }) => mentioned === undefined || keys.all.includes(mentioned))
          .map(({ slot, transaction, execution }) =>
            context(slot, { signature: transaction.id, err: execution.error ?? null, logs: execution.logs }),
          )
      },
    }
  },
}

/** What a client is told of an account that is no more. */
const nobody = {
  ...{ lamports: 0, data: ['', 'base64'], owner: '11111111111111111111111111111111' },
  ...{ executable: false, rentEpoch: 0, space: 0 },
}

function mentionedIn(filter: unknown): string | undefined {
  if (filter === 'all' || filter === 'allWithVotes') return undefined
  const mentions = isConfig(filter) ? textsAt([filter.mentions], 0, 1_000) : []
  if (mentions.length !== 1) throw invalidParams('Invalid Request: Only 1 address supported')
  return asAddress(textAt(mentions, 0))
}

function countOf(landed: readonly LandedTransaction[], slot: number): number {
  return landed.findLastIndex((each) => each.slot <= slot) + 1
}

/** Notifications do not tell the version. */
function context(slot: number, value: unknown) {
  return { context: { slot }, value }
}
