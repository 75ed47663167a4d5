import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { processHost } from './process-host.js'

test.runIf(process.platform === 'linux')('machines of one name are told from each other', () => {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')
  const [name, which] = processHost().split(' ')
  expect([name, boot.startsWith(which ?? '-')]).toEqual([hostname(), true])
})
