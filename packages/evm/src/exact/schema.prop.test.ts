import { check } from '@groat/core'
import { arbHostile, arbMutated } from '@groat/core/testing'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { Eip3009Extra, Eip3009Payload } from './schema.js'
import * as shapes from './schema.shapes.js'

const address = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
const authorization = { from: address, to: address, value: '1', validAfter: '0', validBefore: '99' }
const payload = { signature: '0x', authorization: { ...authorization, nonce: `0x${'aB'.repeat(32)}` } }
const extra = { name: 'USDC', version: '2', assetTransferMethod: 'eip3009' }

test.each([
  { name: 'Eip3009Payload', schema: Eip3009Payload, shape: shapes.Eip3009Payload, message: payload },
  { name: 'Eip3009Extra', schema: Eip3009Extra, shape: shapes.Eip3009Extra, message: extra },
])('$name: its shape decides as the schema does', ({ schema, shape, message }) => {
  expect(z.safeParse(schema, message).success).toBe(true)
  fc.assert(
    fc.property(fc.oneof(arbHostile, arbMutated(fc.constant(message))), (mutant) => {
      expect(check<unknown>(shape, mutant).ok).toBe(z.safeParse(schema, mutant).success)
    }),
    { numRuns: 400 },
  )
})
