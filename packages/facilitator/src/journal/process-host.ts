import { readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Where the id of a process says which one it is. Containers may share the name of their host and have processes of their own: there it is told with the name.
 *
 * @example
 * processHost() // 'shop-1', in a container 'shop-1 pid:[4026532281]'
 */
export function processHost(): string {
  const space = spaceOf()
  return space === undefined || space === MACHINE ? hostname() : `${hostname()} ${space}`
}

function spaceOf(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    // Only Linux has them.
    return undefined
  }
}

/** What Linux calls the processes of the machine itself. */
const MACHINE = 'pid:[4026531836]'
