import { expect, test } from 'vitest'
import { forbiddenWords } from './words.mjs'

const machine = ['/wo', 'rk/main'].join('')

test.each([
  [`see ${machine}/x`, 'names a machine'],
  [`cd ${['/ho', 'me/someone'].join('')}`, 'names a machine'],
  [`// ${['TO', 'DO'].join('')}: later`, 'a leftover; do it or file it'],
  [`read ${['../sha', 'red/design.md'].join('')}`, 'names a folder outside the repository'],
  ['    resolution: {integrity: sha512-x, tarball: http://mirror.example/x.tgz}', 'pins a package to one host'],
])('%s is found', (line, why) => {
  expect(forbiddenWords(`fine\n${line}`)).toEqual([`2: ${why}: ${line.trim()}`])
})

test.each(['https://example.org/work/home', './work/x', 'framework/', '../shared-types', 'https://example.org/home/a'])(
  '%s is fine',
  (line) => {
    expect(forbiddenWords(line)).toEqual([])
  },
)
