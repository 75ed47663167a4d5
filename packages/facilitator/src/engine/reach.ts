import type { ChainDriver } from '@groat/core'

/**
 * Whether a chain cannot be asked from here: all of its nodes have failed again and again. That is known only until one of them is asked again, so somebody has to.
 *
 * @example
 * if (isCutOff(chain)) leaveItToOthers()
 */
export function isCutOff({ nodes }: Pick<ChainDriver, 'nodes'>): boolean {
  const standing = nodes?.() ?? []
  return standing.length > 0 && standing.every(({ state }) => state === 'down')
}
