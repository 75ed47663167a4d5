import { check } from '@groat/core'
import { arbHostile, arbMutated } from '@groat/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { BLOCKHASH, FEE_PAYER } from '../../testing/payments.js'
import { SvmExactExtra, SvmTransactionPayload } from './schema.js'
import * as shapes from './schema.shapes.js'

const extra = { feePayer: FEE_PAYER, memo: 'order-7', recentBlockhash: BLOCKHASH, lastValidBlockHeight: '341000150' }

test.each([
  {
    name: 'SvmTransactionPayload',
    schema: SvmTransactionPayload,
    shape: shapes.SvmTransactionPayload,
    message: { transaction: 'AQI=' },
  },
  { name: 'SvmExactExtra', schema: SvmExactExtra, shape: shapes.SvmExactExtra, message: extra },
])('$name: its shape decides as the schema does', ({ schema, shape, message }) => {
  expect(z.safeParse(schema, message).success).toBe(true)
  fc.assert(
    fc.property(fc.oneof(arbHostile, arbMutated(fc.constant(message))), (mutant) => {
      expect(check<unknown>(shape, mutant).ok).toBe(z.safeParse(schema, mutant).success)
    }),
    { numRuns: 400 },
  )
})
