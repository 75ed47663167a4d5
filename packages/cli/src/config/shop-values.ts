import { isNetwork, network, networkByV1Name, parseMoney, X402Error } from '@groat/core'
import { checkWebhookTarget } from '@groat/core/webhook'
import { formatAddress, parseAddress } from '@groat/evm/crypto'
import { createFacilitatorClient } from '@groat/server'
import { fixedRates } from '@groat/server/ledger'
import type { CliError } from '../terminal/exit.js'
import type { ShopConfig } from './shop-config.js'

/** An error that points at the line of a field. */
type Fail = (path: readonly PropertyKey[], reason: string) => CliError

/**
 * What the gate, the books and the refunds would refuse later, said where the file says it. Throws a usage error with file, line and reason;
 * nobody is asked for anything.
 */
export function checkShopValues(shop: ShopConfig, fail: Fail): void {
  const { payTo, books, refunds, facilitator, allowHttp, routes } = shop
  for (const [name, account] of Object.entries(payTo)) {
    if (!isNetwork(networkByV1Name(name) ?? name)) {
      throw fail(['payTo', name], 'not a CAIP-2 id and not a known name such as base or base-sepolia')
    }
    if (isMistyped(account) && network(name).startsWith('eip155:')) throw fail(['payTo', name], MISTYPED)
  }
  for (const { method, path, terms } of routes) {
    const route = ['routes', `${method} ${path}`]
    if (terms?.refund === 'on-failure' && refunds === undefined) {
      throw fail([...route, 'refund'], 'money is given back by keys of their own: name them under `refunds`')
    }
    for (const [index, offer] of (terms?.offers ?? []).entries()) {
      if (isMistyped(offer.payTo ?? '')) throw fail([...route, 'offers', index, 'pay_to'], MISTYPED)
    }
  }
  const refuses = (path: readonly PropertyKey[], check: () => unknown, said?: string) => {
    try {
      check()
    } catch (error) {
      if (X402Error.is(error)) throw fail(path, said ?? String(error.context.reason ?? error.message))
      throw error
    }
  }
  const { approveAbove } = refunds ?? {}
  const { settlementFee, fiat, webhook } = books
  if (approveAbove !== undefined) refuses(['refunds', 'approve_above'], () => parseMoney(approveAbove), PRICE)
  if (settlementFee !== undefined) refuses(['settlement_fee'], () => parseMoney(settlementFee), PRICE)
  for (const [ticker, rate] of Object.entries(fiat?.rates ?? {})) {
    refuses(['fiat', 'rates', ticker], () => fixedRates({ [ticker]: rate }), 'expected a number such as 1.08')
  }
  if (webhook !== undefined) {
    const { allowPrivate } = webhook
    const said = `expected an https${allowPrivate ? ' or http' : ''} URL without credentials${allowPrivate ? '' : '; `allow_private: true` takes http and private addresses'}`
    refuses(['webhook', 'url'], () => checkWebhookTarget(webhook, { allowPrivate }), said)
  }
  const isPlain = /^http:/i.test(facilitator) && !allowHttp
  const said = isPlain ? 'plain http to another machine: use https, or say `allow_http: true`' : undefined
  refuses(['facilitator'], () => createFacilitatorClient(facilitator, { allowHttp }), said)
}

const PRICE = 'expected a price such as $0.001 or 0.001 EURC'
const MISTYPED =
  'not its checksum (EIP-55): a letter or a digit is another one than it was; copy the address again (in small letters alone nothing can be checked)'

/** True for an address whose letters say that it was another one. */
function isMistyped(text: string): boolean {
  const address = parseAddress(text)
  const digits = text.slice(2)
  const hasBoth = digits !== digits.toLowerCase() && digits !== digits.toUpperCase()
  return address !== undefined && hasBoth && formatAddress(address) !== text
}
