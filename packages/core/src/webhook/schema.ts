import * as z from 'zod/mini'
import { ATOMIC_PATTERN } from '../model/money.js'
import { CAIP2_PATTERN } from '../model/network.js'

/** What a facilitator tells of a payment. */
export const WebhookBody = z.looseObject({
  type: z.string().check(z.minLength(1)),
  timestamp: z.string().check(z.minLength(1)),
  data: z.looseObject({
    pid: z.string().check(z.minLength(1)),
    sequence: z.number(),
    network: z.string().check(z.regex(CAIP2_PATTERN)),
    scheme: z.string().check(z.minLength(1)),
    payer: z.string().check(z.minLength(1)),
    payTo: z.string().check(z.minLength(1)),
    asset: z.string().check(z.minLength(1)),
    amount: z.string().check(z.regex(ATOMIC_PATTERN)),
    transaction: z.optional(z.string()),
    logIndex: z.optional(z.number()),
    code: z.optional(z.string()),
  }),
})
