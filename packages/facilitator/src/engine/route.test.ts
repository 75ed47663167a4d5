import { type ChainDriver, type ErrorCode, network, type SchemeFacilitator } from '@groat/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { request } from '../../test/one-payment.js'
import type { Lane } from './lane.js'
import { createRoutes } from './route.js'

const NETWORK = network('base-sepolia')

type Standing = { held: boolean; blocked: ErrorCode | undefined; draining: boolean }

/** A route over lanes that stand so; a payment may name its signer. */
function routeOver(standings: readonly Standing[], named?: string) {
  const signers = standings.map((_, at) => `0x0${at}`)
  const lanes = standings.map((standing, at) => Object.assign(standing, { network: NETWORK, signer: signers[at] }))
  const chain = { network: NETWORK, signers } as unknown as ChainDriver
  const half = {
    ...{ scheme: { name: 'exact', family: 'eip155' }, networks: [NETWORK], chains: [chain] },
    signerOf: () => named,
  } as unknown as SchemeFacilitator
  const routes = createRoutes([half], (_, signer) => lanes[signers.indexOf(signer)] as unknown as Lane)
  const route = routes.find({ scheme: 'exact', network: NETWORK })
  if (!route.ok) throw new Error(route.code)
  return { lanes, laneOf: (payer: string) => route.laneOf(payer, request) }
}

const free = (): Standing => ({ held: true, blocked: undefined, draining: false })
const payers = Array.from({ length: 64 }, (_, at) => `0x${(at + 1).toString(16).padStart(40, '0')}`)

const arbStandings = fc.array(
  fc.record({
    held: fc.boolean(),
    blocked: fc.constantFrom(undefined, 'signer_out_of_gas', 'fee_above_limit'),
    draining: fc.boolean(),
  }),
  { minLength: 1, maxLength: 9 },
)

test('ENG-5 a payer goes by the same lane that is held, as long as that one can send; else by one that can, if there is one, and rather by one that stays', () => {
  fc.assert(
    fc.property(arbStandings, fc.constantFrom(...payers), (standings, payer) => {
      const { lanes, laneOf } = routeOver(standings as Standing[])
      const held = lanes.filter((lane) => lane.held)
      const chosen = laneOf(payer)
      expect(laneOf(payer)).toBe(chosen)
      expect(chosen?.held).toBe(held.length === 0 ? undefined : true)
      if (chosen === undefined) return
      const isOneFree = held.some(({ blocked }) => blocked === undefined)
      expect(chosen.blocked === undefined).toBe(isOneFree)
      const isOneStaying = held.some(({ blocked, draining }) => blocked === undefined && !draining)
      if (isOneFree) expect(chosen.draining).toBe(!isOneStaying)
      // Nobody leaves a lane that can send, and stays, because another does not.
      const usual = routeOver(standings.map(({ held: isHeld }) => ({ ...free(), held: isHeld }))).laneOf(payer)
      const mine = lanes.find(({ signer }) => signer === usual?.signer)
      if (mine?.blocked === undefined && !mine?.draining) expect(chosen.signer).toBe(usual?.signer)
    }),
  )
})

test('those of a lane that is blocked are spread over all others', () => {
  const { lanes, laneOf } = routeOver([free(), free(), free(), free()])
  const before = payers.filter((payer) => laneOf(payer)?.signer === '0x00')
  Object.assign(lanes[0]!, { blocked: 'signer_out_of_gas' })
  expect(new Set(before.map((payer) => laneOf(payer)?.signer))).toEqual(new Set(['0x01', '0x02', '0x03']))
  Object.assign(lanes[2]!, { blocked: 'signer_out_of_gas' })
  expect(new Set(before.map((payer) => laneOf(payer)?.signer))).toEqual(new Set(['0x01', '0x03']))
})

test('ENG-5 a payment that names a signer of somebody else has no lane here', () => {
  expect(routeOver([free(), free()], '0x0f').laneOf(payers[0]!)).toBeUndefined()
})

test('a payment that names its signer waits for it', () => {
  const { laneOf } = routeOver([{ ...free(), blocked: 'signer_out_of_gas' }, free()], '0x00')
  expect(laneOf(payers[0]!)).toMatchObject({ signer: '0x00', blocked: 'signer_out_of_gas' })
})
