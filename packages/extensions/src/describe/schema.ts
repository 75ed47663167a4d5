import * as z from 'zod/mini'

const Url = z.string().check(z.regex(/^https?:\/\//), z.maxLength(2048))

/** What a seller says of itself under `/.well-known/x402`: URLs alone for some readers, whole offers for others. */
export const SiteManifest = z.looseObject({
  x402Version: z.literal(2),
  version: z.literal(1),
  kind: z.string().check(z.regex(/^(?:resource-server|facilitator|both)$/)),
  name: z.string(),
  resources: z.array(Url),
  items: z.array(
    z.looseObject({
      resource: z.looseObject({ url: Url }),
      type: z.string().check(z.regex(/^(?:http|mcp)$/)),
      x402Version: z.literal(2),
      method: z.optional(z.string()),
      accepts: z.array(
        z.looseObject({
          scheme: z.string(),
          network: z.string(),
          amount: z.string().check(z.regex(/^(?:0|[1-9][0-9]{0,77})$/)),
          asset: z.string(),
          payTo: z.string(),
        }),
      ),
    }),
  ),
})

const Link = z.looseObject({ href: Url, type: z.optional(z.string()) })

/** Where a seller's documents are, under `/.well-known/api-catalog` (RFC 9727): a set of links. */
export const ApiCatalog = z.looseObject({
  linkset: z
    .array(
      z.looseObject({
        anchor: Url,
        'service-desc': z.optional(z.array(Link)),
        'service-doc': z.optional(z.array(Link)),
        'service-meta': z.optional(z.array(Link)),
        status: z.optional(z.array(Link)),
      }),
    )
    .check(z.minLength(1)),
})
