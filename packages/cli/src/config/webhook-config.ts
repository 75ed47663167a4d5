import { X402Error } from '@groat/core'
import { checkWebhookTarget, isWebhookSecret } from '@groat/core/webhook'
import type { WebhookEndpoint } from '@groat/facilitator'
import * as z from 'zod/mini'
import type { ConfigFile } from './yaml-file.js'

const Topic = z.enum(['settled', 'refused', 'final', 'reorged'], 'expected settled, refused, final or reorged')

/** An endpoint in the file of a facilitator: of a tenant, or of the operator. */
export const WebhookFields = z.strictObject({
  url: z.string(),
  secrets: z.array(z.string()).check(z.minLength(1)),
  events: z.optional(z.array(Topic).check(z.minLength(1))),
})

/** Makes an endpoint of its fields. Secrets stand in the file only as `${NAME}`, or in a file that its owner alone can read. */
export function webhookOf(
  fields: z.output<typeof WebhookFields>,
  {
    path,
    id,
    tenant,
    allowPrivate,
  }: {
    readonly path: readonly string[]
    readonly id: string
    readonly tenant?: string
    readonly allowPrivate: boolean
  },
  { fail, isLiteral, isPrivate }: Pick<ConfigFile<unknown>, 'fail' | 'isLiteral' | 'isPrivate'>,
): WebhookEndpoint {
  const { url, secrets, events } = fields
  if (!isTarget(url, allowPrivate)) throw fail([...path, 'url'], whatIsTaken(allowPrivate))
  for (const [index, secret] of secrets.entries()) {
    const field = [...path, 'secrets', index]
    if (!isWebhookSecret(secret)) throw fail(field, 'expected whsec_ and base64; `groat facilitator secret` makes one')
    if (!isPrivate && isLiteral(field)) {
      throw fail(field, 'a secret stands in a file that others can read; name a variable, or chmod 600')
    }
  }
  const [first = '', ...others] = secrets
  return {
    id,
    url,
    secrets: [first, ...others],
    ...(tenant === undefined ? {} : { tenant }),
    ...(events === undefined ? {} : { topics: events }),
  }
}

function isTarget(url: string, allowPrivate: boolean): boolean {
  try {
    checkWebhookTarget({ url, secrets: ['checked for itself'] }, { allowPrivate })
    return true
  } catch (error) {
    if (X402Error.is(error)) return false
    throw error
  }
}

const whatIsTaken = (allowPrivate: boolean) =>
  allowPrivate
    ? 'expected an https or http URL without credentials'
    : 'expected an https URL without credentials; `webhooks: { allow_private: true }` takes http and private addresses'
