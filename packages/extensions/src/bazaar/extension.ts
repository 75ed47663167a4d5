import { defineExtension, type Shape } from '@groat/core'

const Info: Shape<{ input: { type: string } }> = {
  type: 'object',
  properties: { input: { type: 'object', properties: { type: { type: 'string' } }, required: ['type'] } },
  required: ['input'],
}

/** `bazaar` as data: how a thing that is sold is called. */
export const bazaarExtension = defineExtension({ key: 'bazaar', info: Info })
