import { closestMatch } from 'leven'

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

const bare = (name: string) => name.toLowerCase().replace(/[-_]/g, '')
