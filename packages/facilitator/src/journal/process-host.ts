import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Where the id of a process says which one it is. Machines may share a name, and containers that of their host, with processes of their own: where the system says
 * which boot of a machine this is, and whose processes, that is told with the name.
 *
 * @example
 * processHost() // 'shop-1 bff03cfc', in a container 'shop-1 bff03cfc pid:[4026532281]'
 */
export function processHost(): string {
  const boot = known(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8))
  const space = known(() => readlinkSync('/proc/self/ns/pid'))
  return [hostname(), boot, space === MACHINE ? undefined : space].filter((each) => each !== undefined).join(' ')
}

/** Only Linux has them. */
function known(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** What Linux calls the processes of the machine itself. */
const MACHINE = 'pid:[4026531836]'
