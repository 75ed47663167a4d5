// biome-ignore-all format: generated from the schemas beside it, and compared byte by byte; do not edit.
import type { Shape } from '@groat/core'
import type * as z from 'zod/mini'
import type * as schema from './schema.js'

export const Eip3009Extra: Shape<z.output<typeof schema.Eip3009Extra>> = { type: 'object', properties: {
  name: { type: 'string', minLength: 1 },
  version: { type: 'string', minLength: 1 },
  assetTransferMethod: { type: 'string', const: 'eip3009' },
}, required: ['name', 'version'] }
export const Eip3009Payload: Shape<z.output<typeof schema.Eip3009Payload>> = { type: 'object', properties: {
  signature: { type: 'string' },
  authorization: { type: 'object', properties: {
    from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    to: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    value: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    validAfter: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    validBefore: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    nonce: { type: 'string', pattern: /^0x[0-9a-fA-F]{64}$/ },
  }, required: ['from', 'to', 'value', 'validAfter', 'validBefore', 'nonce'] },
}, required: ['signature', 'authorization'] }
export const Erc7710Extra: Shape<z.output<typeof schema.Erc7710Extra>> = { type: 'object', properties: {
  assetTransferMethod: { type: 'string', const: 'erc7710' },
  facilitators: { type: 'array', items: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ } },
  delegationManagers: { type: 'array', items: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ } },
  name: { type: 'string', minLength: 1 },
  version: { type: 'string', minLength: 1 },
}, required: ['assetTransferMethod'] }
export const Erc7710Payload: Shape<z.output<typeof schema.Erc7710Payload>> = { type: 'object', properties: {
  delegationManager: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
  permissionContext: { type: 'string', pattern: /^0x(?:[0-9a-fA-F]{2})+$/ },
  delegator: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
}, required: ['delegationManager', 'permissionContext', 'delegator'] }
export const Permit2Extra: Shape<z.output<typeof schema.Permit2Extra>> = { type: 'object', properties: {
  assetTransferMethod: { type: 'string', const: 'permit2' },
  name: { type: 'string', minLength: 1 },
  version: { type: 'string', minLength: 1 },
}, required: ['assetTransferMethod'] }
export const Permit2Payload: Shape<z.output<typeof schema.Permit2Payload>> = { type: 'object', properties: {
  signature: { type: 'string' },
  permit2Authorization: { type: 'object', properties: {
    from: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    permitted: { type: 'object', properties: {
      token: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
      amount: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    }, required: ['token', 'amount'] },
    spender: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
    nonce: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    deadline: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    witness: { type: 'object', properties: {
      to: { type: 'string', pattern: /^0x[0-9a-fA-F]{40}$/ },
      validAfter: { type: 'string', pattern: /^(?:0|[1-9][0-9]{0,77})$/ },
    }, required: ['to', 'validAfter'] },
  }, required: ['from', 'permitted', 'spender', 'nonce', 'deadline', 'witness'] },
}, required: ['signature', 'permit2Authorization'] }
