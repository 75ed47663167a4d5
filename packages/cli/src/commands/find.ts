import { createBuyer, findServices, priceOf, type Service } from '@groat/client/buyer'
import { formatUnits, v1NameOf } from '@groat/core'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, formatDuration, type Io, plain } from '../terminal/io.js'
import { openWallet, type WalletOptions } from './wallet.js'

/** Options of `groat find`. */
export type FindCommand = WalletOptions & {
  readonly max?: string
  readonly catalogue?: readonly string[]
  readonly site?: readonly string[]
  readonly probe?: boolean
  readonly json?: boolean
}

/** `groat find WORDS`: services with their prices, the cheapest first. With `--probe`, what each asks right now and how fast it answers. */
export async function find(words: readonly string[], options: FindCommand, io: Io): Promise<number> {
  const { GROAT_CATALOGUE } = io.environment
  const catalogues = options.catalogue ?? (GROAT_CATALOGUE === undefined ? [] : [GROAT_CATALOGUE])
  const sites = options.site ?? []
  if (catalogues.length + sites.length === 0) {
    throw new CliError('usage', 'Nowhere to look', 'Name a facilitator with --catalogue, or a site with --site.')
  }
  for (const url of [...catalogues, ...sites]) {
    if (!URL.canParse(url)) throw new CliError('usage', `${url} is not a URL`)
  }
  const { services, silent } = await findServices({
    query: words.join(' '),
    catalogues,
    sites,
    ...(options.max !== undefined && { max: options.max }),
  })
  const rows = await Promise.all(
    services.map(async (service) => ({
      service,
      // Whoever is to say what a tool costs calls it, and it may be free.
      probe: options.probe && service.tool === undefined ? await probe(service, options, io) : undefined,
    })),
  )
  if (options.json) {
    for (const { service, probe: measured } of rows)
      io.out(`${json({ ...service, ...(measured && { probe: measured }) })}\n`)
  } else {
    for (const line of columns(rows.map(({ service, probe: measured }) => rowOf(service, measured))))
      io.out(`${plain(line)}\n`)
    const unpriced = options.max === undefined ? 0 : services.filter((service) => priceOf(service) === undefined).length
    io.say(
      `  ${services.length} found${unpriced > 0 ? `; ${unpriced} of them without a listed price, which --max says nothing about (--probe asks)` : ''}${silent.length > 0 ? io.style.quiet(`; nothing to read at ${plain(silent.join(', '))}`) : ''}`,
    )
  }
  return services.length > 0 ? exitCodes.ok : exitCodes.no
}

type Probe = { readonly asks: string; readonly ms: number }

/** What a service asks when it is asked, and how long that takes. Signs nothing. */
async function probe({ url }: Service, options: FindCommand, io: Io): Promise<Probe> {
  const schemes = await openWallet(new URL(url), { ...options, dryRun: true }, { ...io, say: () => {} })
  const start = performance.now()
  const quote = await createBuyer({ schemes })
    .quote(url)
    .catch(() => undefined)
  const ms = Math.round(performance.now() - start)
  if (quote === undefined) return { asks: 'no answer', ms }
  if (quote.status !== 'payable')
    return { asks: quote.status === 'free' ? `free (${quote.httpStatus})` : quote.code, ms }
  return { asks: `${formatUnits(quote.amount, quote.asset.decimals)} ${quote.asset.symbol}`, ms }
}

function rowOf(
  { url, tool, description, offers, price, source }: Service,
  measured: Probe | undefined,
): readonly string[] {
  const listed = offers.map(({ offer, asset }) => {
    const where = v1NameOf(offer.network) ?? offer.network
    return asset
      ? `${formatUnits(offer.amount, asset.decimals)} ${asset.symbol} on ${where}`
      : `unknown asset on ${where}`
  })
  const said = [...new Set(listed)].join(', ') || price || 'price not listed'
  const now = measured === undefined ? [] : [`asks ${measured.asks} in ${formatDuration(measured.ms)}`]
  return [tool === undefined ? url : `tool ${tool} at ${url}`, said, ...now, source, description.slice(0, 80)]
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? inner.toString() : inner))
}
