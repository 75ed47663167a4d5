import { network } from '@groat/core'
import { expect, test } from 'vitest'
import type { ChainOverview, Overview } from '../admin/overview.js'
import { readinessOf } from './readiness.js'

const chainOf = (name: string, more: Partial<ChainOverview> = {}): ChainOverview => ({
  ...{ network: network(name), name, schemes: ['exact'], nodes: [], lanes: [] },
  ...more,
})

test('a settlement that is stuck on one network is in no other’s way', () => {
  const chains = [chainOf('base'), chainOf('polygon', { oldestOpenSeconds: 181 })]
  // A codec: nothing else of it is asked.
  const overview = { chains, oldestOpenSeconds: 181 } as unknown as Overview
  const of = (name: string) => readinessOf(network(name), { ready: true, reasons: [] }, overview)
  expect(of('base')).toEqual({ ready: true, reasons: [] })
  const reason = { part: 'chain', network: network('polygon'), code: 'facilitator_overloaded' }
  expect(of('polygon')).toEqual({ ready: false, reasons: [reason] })
})
