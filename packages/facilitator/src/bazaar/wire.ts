import {
  assetByAddress,
  decodeRequirements,
  formatUnits,
  isJsonObject,
  isNetwork,
  type JsonObject,
  v1NameOf,
} from '@groat/core'
import type { ResourceRow } from './read.js'

/**
 * A listing as `GET /discovery/resources` and `GET /discovery/search` give it. The words in it are the origin's, or those of a server that the operator knows: `metadata.saidBy` says whose, and
 * `metadata.untrusted` names them (BAZAAR-026), and `metadata.networks` what people call the networks. Where nobody but a payer has spoken there are none, and `accepts` holds what was settled, which is nobody's price (BAZAAR-037).
 */
export function encodeListing(row: ResourceRow): JsonObject {
  const {
    url,
    type,
    x402_version,
    accepts,
    last_seen,
    first_seen,
    method,
    tool,
    origin_state,
    probe,
    quality,
    extension_keys,
    said_by,
  } = row
  const isUnspoken = said_by === 'payer'
  const isPriced = said_by === 'seller' || origin_state === 'verified'
  const said = isUnspoken ? {} : parsed(row.said)
  const { description, mimeType, serviceName, tags, iconUrl, info, schema } = said
  const words = { description, mimeType, serviceName, tags, iconUrl }
  const template = /\/:[a-zA-Z_]/.test(url) ? new URL(url).pathname : undefined
  const block = {
    ...(info === undefined ? {} : { info }),
    ...(schema === undefined ? {} : { schema }),
    ...(template === undefined ? {} : { routeTemplate: template }),
  }
  const others = extension_keys.split('|').filter((key) => key !== '' && key !== 'bazaar')
  return {
    ...{
      resource: url,
      type,
      x402Version: Number(x402_version),
      accepts,
      lastUpdated: new Date(Number(last_seen)).toISOString(),
    },
    ...Object.fromEntries(Object.entries(words).filter(([, value]) => value !== undefined)),
    ...(method === null ? {} : { method }),
    ...(tool === null ? {} : { toolName: tool }),
    extensions: { bazaar: block, ...Object.fromEntries(others.map((key) => [key, {}])) },
    quality: parsed(quality),
    metadata: {
      originVerified: origin_state === 'verified',
      source: 'settlement',
      saidBy: isUnspoken ? null : said_by,
      prices: isPriced ? accepts.map(priceWords) : [],
      networks: Object.fromEntries(accepts.map(({ network }) => [String(network), networkWords(String(network))])),
      firstSeen: new Date(Number(first_seen)).toISOString(),
      untrusted: ['description', 'serviceName', 'tags', 'iconUrl', 'extensions'],
      ...(probe === null ? {} : { lastProbe: parsed(probe) }),
    },
  }
}

/** A network for people, such as `Base Sepolia`; its own id where it has no name. */
function networkWords(id: string): string {
  const name = isNetwork(id) ? v1NameOf(id) : undefined
  if (name === undefined) return id
  return name.replaceAll('-', ' ').replace(/\b[a-z]/g, (letter) => letter.toUpperCase())
}

/** An amount for people; atomic units where the asset is not known. */
function priceWords(wire: JsonObject): string {
  const offer = decodeRequirements(2, wire)
  if (!offer.ok) return ''
  const { network, asset: address, amount } = offer.value
  const asset = assetByAddress(network, address)
  return asset === undefined
    ? `${amount} units of ${address}`
    : `${formatUnits(amount, asset.decimals)} ${asset.symbol}`
}

/** Text that this program wrote. */
function parsed(text: string): JsonObject {
  const value: unknown = JSON.parse(text)
  return isJsonObject(value) ? value : {}
}
