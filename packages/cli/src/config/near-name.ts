import { type Network, networkFamily } from '@groat/core'
import leven, { closestMatch } from 'leven'

/**
 * The name that was probably meant by another, if one is near enough: two letters in five may be wrong, three at the most. How names are put
 * together (`max_age_hours`, `maxAgeHours`) makes no difference.
 *
 * @example
 * nearName('lisen', ['store', 'listen']) // 'listen'
 */
export function nearName(name: string, known: readonly string[]): string | undefined {
  const said = bare(name)
  const maxDistance = Math.min(3, Math.round(said.length * 0.4))
  const near = closestMatch(said, known.map(bare), { maxDistance })
  return known.find((each) => bare(each) === near)
}

/**
 * The networks whose ids differ from one in two letters at the most, the nearest first: three of them.
 *
 * @example
 * nearNetworks(network('eip155:84533'), known) // ['eip155:84532', 'eip155:8453']
 */
export function nearNetworks(id: Network, known: readonly Network[]): readonly Network[] {
  return known
    .filter((each) => networkFamily(each) === networkFamily(id))
    .map((each) => ({ each, distance: leven(id, each) }))
    .filter(({ distance }) => distance <= 2)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ each }) => each)
}

const bare = (name: string) => name.toLowerCase().replace(/[-_]/g, '')
