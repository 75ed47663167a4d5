import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The pages that hold requirements, in reading order. */
export const pages = [
  'core.md',
  'http.md',
  'facilitator.md',
  'schemes/exact-evm.md',
  'schemes/exact-evm-permit2.md',
  'schemes/exact-evm-erc7710.md',
  'schemes/exact-svm.md',
  'schemes/upto-evm.md',
  'schemes/batch-settlement-evm.md',
  'schemes/auth-capture-evm.md',
  'schemes/transfer-proof-evm.md',
  'schemes/transfer-proof-svm.md',
  'schemes/upto-svm.md',
  'extensions/contract.md',
  'extensions/payment-identifier.md',
  'extensions/sign-in-with-x.md',
  'extensions/offer-receipt.md',
  'extensions/builder-code.md',
  'extensions/bazaar.md',
  'extensions/groat-refund.md',
  'extensions/groat-request-binding.md',
  'extensions/groat-compliance.md',
  'extensions/eip2612-gas-sponsoring.md',
  'extensions/erc20-approval-gas-sponsoring.md',
  'transports/mcp.md',
  'transports/a2a.md',
  'transports/plain-headers.md',
  'errors.md',
  'security.md',
] as const

/** What an id looks like, wherever it stands. */
export const ID =
  '(?:CORE|HTTP|SRV|CLI|FAC|EVM-EXACT|EVM-UPTO|EVM-BATCH|EVM-CAPTURE|EVM-PROOF|SVM-EXACT|SVM-UPTO|SVM-PROOF|EXT|EXT-ID|EXT-SIGN|EXT-OFFER|EXT-CODE|EXT-REFUND|EXT-BIND|EXT-COMPLY|BAZAAR|DESC|GAS-PERMIT|GAS-APPROVAL|MCP|A2A|PLAIN|ERR|SEC)-[0-9]{3}'

export type Level = 'MUST' | 'MUST NOT' | 'SHOULD' | 'SHOULD NOT' | 'MAY'
export type Basis = 'explicit' | 'implied' | 'practice' | 'ours'
export type Role = 'client' | 'server' | 'facilitator'

/** One sentence that binds somebody. */
export type Requirement = {
  readonly id: string
  readonly level: Level
  readonly roles: readonly Role[]
  readonly basis: Basis
  /** Where upstream or a standard says so. */
  readonly source?: string
  readonly profile: 'core' | 'hardening'
  readonly text: string
  /** The first 16 hex digits of the text's SHA-256: it changes when the sentence does. */
  readonly hash: string
  readonly file: string
  readonly anchor: string
  readonly violation: string
  /** Codes of the registry that the violation names. */
  readonly codes: readonly string[]
}

/** A page that does not keep to the form. */
export class ProseError extends Error {
  override readonly name = 'ProseError'
}

/** All requirements of the pages below `root`, in reading order. Throws `ProseError` at the first line that breaks the form. */
export function readRequirements(root: string): readonly Requirement[] {
  const found = pages.flatMap((file) => parsePage(file, readFileSync(join(root, file), 'utf8')))
  const ids = new Set<string>()
  for (const { id, file } of found) {
    if (ids.has(id)) throw new ProseError(`${file}: ${id} is used twice`)
    ids.add(id)
  }
  return found
}

/** The requirements of one page. */
export function parsePage(file: string, page: string): readonly Requirement[] {
  const lines = page.split('\n')
  const found: Requirement[] = []
  let fenced = false
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('```')) fenced = !fenced
    const [, id, text] = HEAD.exec(line) ?? []
    if (id === undefined || text === undefined) {
      if (!fenced && LEVELS.test(line)) throw new ProseError(`${file}:${index + 1}: a level outside a requirement`)
      if (line.startsWith('<br>*basis')) {
        if (!HEAD.test(lines[index - 1] ?? ''))
          throw new ProseError(`${file}:${index + 1}: a basis without a requirement`)
      }
      continue
    }
    found.push(requirement(file, index + 1, id, text, lines[index + 1] ?? ''))
  }
  return found
}

function requirement(file: string, line: number, id: string, text: string, meta: string): Requirement {
  const at = `${file}:${line}: ${id}`
  const [, basis, source, roles, violation] = META.exec(meta) ?? []
  if (!isBasis(basis) || roles === undefined || violation === undefined) throw new ProseError(`${at} has no basis line`)
  const levels = text.match(LEVELS_ALL) ?? []
  const [level] = levels
  if (!isLevel(level) || levels.length !== 1) throw new ProseError(`${at} does not have exactly one level`)
  if (!ACTOR.test(text)) throw new ProseError(`${at} does not begin with its actor`)
  if (!text.endsWith('.')) throw new ProseError(`${at} does not end with a full stop`)
  const named = roles.split(', ').map((role) => {
    if (!isRole(role)) throw new ProseError(`${at} names the unknown role ${role}`)
    return role
  })
  return {
    id,
    level,
    roles: named,
    basis,
    ...(source === undefined ? {} : { source }),
    profile: basis === 'ours' ? 'hardening' : 'core',
    text,
    hash: createHash('sha256').update(text).digest('hex').slice(0, 16),
    file,
    anchor: `${file}#${id}`,
    violation,
    codes: [...violation.matchAll(/`([a-z0-9_]+)`/g)].map(([, code = '']) => code).filter((code) => code.includes('_')),
  }
}

const HEAD = new RegExp(`^\\[(${ID})\\]\\{#\\1\\} (.+)$`)
const META = /^<br>\*basis: (\w+)(?: \((.+?)\))?; roles: ([a-z, ]+); violation: (.+)\*$/
const LEVELS = /(?<!-)\b(?:MUST|SHALL|SHOULD|MAY|REQUIRED|RECOMMENDED|OPTIONAL)\b/
const LEVELS_ALL = /\b(?:MUST NOT|MUST|SHOULD NOT|SHOULD|MAY|SHALL NOT|SHALL)\b/g
const ACTOR = /^An? (?:sender|receiver|party|client|resource server|facilitator)\b/

function isBasis(text: string | undefined): text is Basis {
  return text === 'explicit' || text === 'implied' || text === 'practice' || text === 'ours'
}

function isRole(text: string): text is Role {
  return text === 'client' || text === 'server' || text === 'facilitator'
}

function isLevel(text: string | undefined): text is Level {
  return text === 'MUST' || text === 'MUST NOT' || text === 'SHOULD' || text === 'SHOULD NOT' || text === 'MAY'
}
