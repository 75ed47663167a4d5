/**
 * Words that no file of the repository may have: paths of a machine, leftovers, packages pinned to a place.
 * They are spelt in pieces here so that this file does not find itself.
 */
const forbidden = [
  { pattern: new RegExp(['(^|[^\\w.])/', 'work/'].join('')), why: 'names a machine' },
  { pattern: new RegExp(['(^|[\\s"\'`(=])/(home|Users|root)', '/[a-z]'].join('')), why: 'names a machine' },
  { pattern: new RegExp(['\\.\\./', 'shared(/|[\\s"\'`)]|$)'].join('')), why: 'names a folder outside the repository' },
  { pattern: new RegExp(`\\b(${['TO', 'DO|FIX', 'ME|X', 'XX'].join('')})\\b`), why: 'a leftover; do it or file it' },
  { pattern: /^\s*resolution: .*tarball: http/, why: 'pins a package to one host' },
]

/** `line: why` for every forbidden word in a text. */
export const forbiddenWords = (text) =>
  text
    .split('\n')
    .flatMap((line, index) =>
      forbidden
        .filter(({ pattern }) => pattern.test(line))
        .map(({ why }) => `${index + 1}: ${why}: ${line.trim().slice(0, 120)}`),
    )
