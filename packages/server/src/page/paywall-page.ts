import {
  assetByAddress,
  formatUnits,
  isJsonObject,
  network as networkOf,
  type PaymentRequirements,
  v1NameOf,
  X402Error,
} from '@groat/core'
import { script, scriptHash, style, styleHash } from '#page-bundle'
import type { PaywallPage } from '../paywall.js'

/** What a seller says on its page, besides its offers. */
export type PaywallPageOptions = {
  /** The seller's name. */
  readonly title?: string
  /** Where browsers ask for blockhashes, by network: public nodes, without a key. Without one no offer on Solana that lacks a blockhash can be paid. */
  readonly solanaRpc?: Readonly<Record<string, string>>
}

/**
 * A page for people with a browser wallet: it shows price, seller and what is bought, finds wallets (EIP-6963, wallet standard), pays on EVM
 * chains and Solana and shows the answer. One document of some 40 kB over the wire; its policy allows its own script and style by their hashes
 * and nothing else. Throws `X402Error` `invalid_config` for a node that is no https URL.
 *
 * @example
 * paywall({ facilitator, payTo, schemes, store, page: paywallPage({ title: 'Weather' }) })
 */
export function paywallPage({ title, solanaRpc = {} }: PaywallPageOptions = {}): PaywallPage {
  const rpc = Object.fromEntries(Object.entries(solanaRpc).map(([name, url]) => [networkOf(name), nodeOf(url)]))
  const nodes = Object.values(rpc).map((url) => new URL(url).origin)
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policyOf(nodes),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  }
  return {
    render({ resource, offers }) {
      const shown = offers.map(offerOf)
      const [first] = shown
      const { url, description, serviceName } = resource
      const seller = title ?? serviceName ?? (URL.canParse(url) ? new URL(url).host : 'The seller')
      const data = {
        resource: { url, description, serviceName },
        offers: shown,
        rpc,
        ...(title === undefined ? {} : { title }),
      }
      const rows = [
        ['What you buy', url],
        ...(first?.buys === undefined ? [] : [['Good for', first.buys]]),
        ...shown.map(({ name, payTo }) => [`Paid to on ${name}`, payTo]),
      ]
      const body = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${html(seller)}: payment required</title><style>${style}</style></head>
<body><main><div class="card">
<h1>${html(description ?? 'This page is sold')}</h1>
<p class="seller">by ${html(seller)}</p>
<p class="price">${html(first?.price ?? '')}</p>
<dl>${rows.map(([name = '', text = '']) => `<dt>${html(name)}</dt><dd>${html(text)}</dd>`).join('')}</dl>
<section id="pay" aria-labelledby="pay-title"><h2 id="pay-title">Pay with a wallet</h2>
<ul id="wallets"></ul>
<p id="none">No wallet was found in this browser. Install one for ${html([...new Set(shown.map(({ name }) => name))].join(' or '))}, and load the page again.</p></section>
<p id="say" class="say" role="status" aria-live="polite"></p>
<section id="answer" class="answer" tabindex="-1" aria-label="What you bought"></section>
<p class="foot">You sign one payment of exactly this price. The wallet needs no coin for fees.</p>
<noscript><p class="bad">Paying here takes JavaScript.</p></noscript>
</div></main>
<script type="application/json" id="offer">${json(data)}</script>
<script>${script}</script></body></html>
`
      return { headers, body }
    },
  }
}

function offerOf({ scheme, network, asset, amount, payTo, extra }: PaymentRequirements) {
  const known = assetByAddress(network, asset)
  const price = known === undefined ? `${amount} of ${asset}` : `${formatUnits(amount, known.decimals)} ${known.symbol}`
  const buys = entitlementText(extra.entitlement)
  const limit = known === undefined ? {} : { limit: `$${formatUnits(amount, known.decimals)}` }
  return {
    scheme,
    network,
    name: v1NameOf(network) ?? network,
    price,
    ...limit,
    payTo,
    ...(buys === undefined ? {} : { buys }),
  }
}

function entitlementText(entitlement: unknown): string | undefined {
  if (!isJsonObject(entitlement)) return undefined
  const { uses, seconds } = entitlement
  const parts = [...counted(uses, 'use'), ...counted(seconds, 'second')]
  return parts.length === 0 ? undefined : parts.join(', ')
}

function counted(count: unknown, one: string): readonly string[] {
  return typeof count === 'number' ? [`${count} ${one}${count === 1 ? '' : 's'}`] : []
}

function policyOf(nodes: readonly string[]): string {
  return [
    "default-src 'none'",
    `script-src '${scriptHash}'`,
    `style-src '${styleHash}'`,
    `connect-src ${["'self'", ...nodes].join(' ')}`,
    'img-src data: blob:',
    'frame-src blob:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function nodeOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLocal = url !== undefined && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  if (
    url === undefined ||
    !(url.protocol === 'https:' || (url.protocol === 'http:' && isLocal)) ||
    url.username !== ''
  ) {
    throw new X402Error('invalid_config', { field: 'solanaRpc', reason: 'not an https URL without credentials' })
  }
  return url.href
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (each) => ENTITIES[each] ?? '')
}

/** JSON that cannot end its element, and that no parser takes for markup. */
function json(value: unknown): string {
  const coded = (each: string) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, coded)
}
