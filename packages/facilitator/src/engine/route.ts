import {
  type ChainDriver,
  canonicalAddress,
  type FacilitatorRequest,
  type Network,
  type PaymentRequirements,
  type Refusal,
  refuse,
  type SchemeFacilitator,
  sameAddress,
  sha256Hex,
  X402Error,
} from '@groat/core'
import type { Lane } from './lane.js'

/** What serves one scheme on one network: the scheme's half, the chain, and a lane for every signer. */
export type Route = {
  readonly ok: true
  readonly half: SchemeFacilitator
  readonly chain: ChainDriver
  /** The signer that a payment itself names. */
  signerOf(request: FacilitatorRequest): string | undefined
  /**
   * The lane that a payment goes by for which nothing is signed: that of the signer it names, or else the same one for a payer for as long as this
   * replica holds the same lanes and that one can send and stays; while it does not, one that does, if there is one. `undefined` when it holds none.
   */
  laneOf(payer: string, request: FacilitatorRequest): Lane | undefined
  /** The lane of a signer, also of one that was taken out of the configuration and still has something under way. */
  laneBy(signer: string): Lane
  /** The chain has undone blocks: what was in them goes out again, by whatever lane it went. */
  reopen(): Promise<void>
}

/** What is served, and the lanes by which it can be signed for. */
export type Serving = Pick<PaymentRequirements, 'scheme' | 'network'> & { readonly lanes: readonly Lane[] }

/** Every route, and what they are made of. */
export type Routes = {
  readonly chains: readonly ChainDriver[]
  readonly serves: readonly Serving[]
  lanes(): readonly Lane[]
  /** The chain of a network has undone blocks. */
  reopen(network: Network): Promise<void>
  /** Refuses `invalid_network` where no scheme serves the network, `unsupported_scheme` where this one does not. */
  find(requirements: Pick<PaymentRequirements, 'scheme' | 'network'>): Route | Refusal
}

/**
 * Lays the routes. Lanes are shared: a signer has one nonce, whatever it signs for.
 * Throws `X402Error` `invalid_config` for a scheme that is given twice, lacks the chain of a network, or whose chain lacks a signer.
 */
export function createRoutes(
  schemes: readonly SchemeFacilitator[],
  createLane: (chain: ChainDriver, signer: string) => Lane,
): Routes {
  const routes = new Map<string, Route>()
  const serves: Serving[] = []
  const chains = new Set<ChainDriver>()
  const lanes = new Map<string, Lane>()

  function lane(chain: ChainDriver, signer: string): Lane {
    const key = `${chain.network} ${canonicalAddress(signer)}`
    const known = lanes.get(key)
    if (known !== undefined) return known
    const made = createLane(chain, signer)
    lanes.set(key, made)
    return made
  }

  async function reopen(network: Network): Promise<void> {
    const there = [...lanes.values()].filter((each) => each.network === network)
    await Promise.all(there.map((each) => each.reopen()))
  }

  function route(half: SchemeFacilitator, network: Network): Route {
    const context = { scheme: half.scheme.name, network }
    const chain = half.chains.find((candidate) => candidate.network === network)
    if (chain === undefined) throw new X402Error('invalid_config', { ...context, missing: 'chain' })
    const mine = chain.signers.map((signer) => lane(chain, signer))
    if (mine.length === 0) throw new X402Error('invalid_config', { ...context, missing: 'signer' })
    serves.push({ ...context, lanes: mine })
    const laneBy = (signer: string) => lane(chain, signer)
    const signerOf: Route['signerOf'] = ({ payment, requirements }) => half.signerOf?.(payment, requirements)
    const laneOf: Route['laneOf'] = (payer, request) => {
      const named = signerOf(request)
      const able = named === undefined ? mine : mine.filter(({ signer }) => sameAddress(signer, named))
      const held = able.filter((each) => each.held)
      return held.length <= 1 ? held[0] : choose(held, hash(payer))
    }
    return { ok: true, half, chain, signerOf, laneOf, laneBy, reopen: () => reopen(network) }
  }

  for (const half of schemes) {
    for (const network of half.networks) {
      const key = routeKey(half.scheme.name, network)
      if (routes.has(key)) throw new X402Error('invalid_config', { scheme: half.scheme.name, network, twice: 'scheme' })
      const made = route(half, network)
      routes.set(key, made)
      chains.add(made.chain)
    }
  }
  return {
    chains: [...chains],
    serves,
    lanes: () => [...lanes.values()],
    reopen,
    find({ scheme, network }) {
      if (!serves.some((each) => each.network === network))
        return refuse('invalid_network', 'network is not settled here')
      return (
        routes.get(routeKey(scheme, network)) ?? refuse('unsupported_scheme', 'scheme is not settled on this network')
      )
    },
  }
}

/** For those whose lane cannot send, or is about to be let go, nobody else's payers have to make way. */
function choose(held: readonly Lane[], payer: number): Lane | undefined {
  const usual = held[payer % held.length]
  const able = held.filter(({ blocked }) => blocked === undefined)
  const staying = able.filter(({ draining }) => !draining)
  const best = [staying, able].find(({ length }) => length > 0)
  if (best === undefined || usual === undefined || best.includes(usual)) return usual
  // By what is left of the number: all who come from one lane would else go to the same.
  return best[Math.floor(payer / held.length) % best.length]
}

function hash(payer: string): number {
  return Number.parseInt(sha256Hex(canonicalAddress(payer)).slice(0, 8), 16)
}

function routeKey(scheme: string, network: Network): string {
  return `${network} ${scheme}`
}
