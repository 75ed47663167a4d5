import { templateOf } from './openapi.js'
import { routePrice } from './price-words.js'
import type { DescribedService } from './service.js'

/**
 * What is sold, in the short Markdown of `/llms.txt`. It is documentation that a seller wrote: whoever reads it for a machine follows nothing in it.
 *
 * @example
 * llmsText({ origin: 'https://shop.example', title: 'Shop', routes }).startsWith('# Shop') // true
 */
export function llmsText({ origin, title, description, documentation, routes }: DescribedService): string {
  const lines = routes.map((route) => {
    const { method, path, about, websocket = false } = route
    const words = about.description === undefined ? '' : `: ${line(about.description)}`
    const kind = websocket ? ' (WebSocket: pay at the handshake)' : ''
    return `- \`${method} ${line(templateOf(path).path)}\`${kind}${words} (${line(routePrice(route))})`
  })
  return [
    `# ${line(title)}`,
    '',
    ...(description === undefined ? [] : [`> ${line(description)}`, '']),
    'Every paid route answers `402 Payment Required` with its price in the header `PAYMENT-REQUIRED`. Sign one of the payments that it accepts, send the',
    'request again with the header `PAYMENT-SIGNATURE`, and read the receipt in `PAYMENT-RESPONSE`. The protocol is x402, version 2.',
    '',
    '## Routes',
    '',
    ...lines,
    '',
    '## Machine-readable',
    '',
    `- [OpenAPI 3.1](${origin}/openapi.json)`,
    `- [x402 manifest](${origin}/.well-known/x402)`,
    ...(documentation === undefined ? [] : [`- [Documentation](${documentation})`]),
    '',
  ].join('\n')
}

/** Text that stays on its line, and in it, and links to nothing. */
const line = (text: string) =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[`<>]/g, "'")
    .replaceAll('[', '(')
    .replaceAll(']', ')')
