import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isObject } from '../http/exchange.js'
import type { Family, Role } from '../model/result.js'

/** A program that runs already, one that the kit starts by a command, or one in this process. */
export type Endpoint =
  | { readonly url: string; readonly path?: string }
  | {
      readonly start: string
      /** A server that is an MCP server over its standard input and output says `mcp`. */
      readonly protocol?: 'http' | 'mcp'
      readonly cwd?: string
      readonly env?: Readonly<Record<string, string>>
    }
  | { readonly open: (env: Readonly<Record<string, string>>) => Promise<Opened> }

/** A program that listens. */
export type Opened = {
  readonly url: string
  close(): Promise<void>
  /** Why it no longer runs; undefined while it does, and for what the kit did not start. */
  ended?(): string | undefined
}

/** A client: a command that speaks JSON lines, or is run once for every request; or a function in this process. */
export type ClientEndpoint =
  | {
      readonly start: string
      readonly protocol?: 'stdio' | 'exec'
      readonly cwd?: string
      readonly env?: Readonly<Record<string, string>>
    }
  | {
      readonly fetch: (request: ClientRequest) => Promise<ClientAnswer>
      readonly call?: (call: ClientCall) => Promise<CallAnswer>
      readonly message?: (message: ClientMessage) => Promise<MessageAnswer>
      readonly refund?: (request: ClientRequest) => Promise<RefundAnswer>
      /** Extensions that it knows by their keys. */
      readonly extensions?: readonly string[]
    }

/** A library: a command that answers the vectors of the specification in JSON lines, or a function in this process. */
export type LibraryEndpoint =
  | { readonly start: string; readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }
  | { readonly vector: (vector: Vector) => Promise<VectorAnswer>; readonly ops?: readonly string[] }

/** What a library is asked: an operation of the table in `spec/vectors`, and its input. */
export type Vector = { readonly op: string; readonly input: Readonly<Record<string, unknown>> }

/** The result in the form of that table, an `error` included; or that there is no such operation. */
export type VectorAnswer =
  | { readonly ok: Readonly<Record<string, unknown>> }
  | { readonly skipped: { readonly issue: string } }

/** What a client pays with. */
export type ClientPurse = {
  /** Private keys: hexadecimal for `eip155`, base58 of 64 bytes for `solana`. */
  readonly wallet: { readonly eip155?: string; readonly solana?: string }
  /** Atomic units. */
  readonly policy: { readonly maxAtomic: string }
  /** Nodes of the kit. */
  readonly rpc: { readonly eip155?: string; readonly solana?: string }
}

/** What a client is asked to do. */
export type ClientRequest = ClientPurse & {
  readonly request: {
    readonly method: string
    readonly url: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  }
}

/** A tool that a client is asked to call, at an MCP server over streamable HTTP. */
export type ClientCall = ClientPurse & {
  readonly server: string
  readonly tool: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** What a client is asked to tell an A2A agent, whose card is at `.well-known/agent-card.json` below its URL. */
export type ClientMessage = ClientPurse & { readonly agent: string; readonly text: string }

/** What did not come to an answer: it would not pay, could not, or cannot do such a thing at all. */
type Undone =
  | { readonly refused: { readonly code: string } }
  | { readonly error: { readonly message: string } }
  | { readonly skipped: { readonly issue: string } }

/** What came of a call: the result as it came, as far as the caller gets it. */
export type CallAnswer = { readonly ok: { readonly result: Readonly<Record<string, unknown>> } } | Undone

/** What came of a message: the state of the task, as `completed`, and the texts of its artifacts and its status. */
export type MessageAnswer = { readonly ok: { readonly state: string; readonly texts: readonly string[] } } | Undone

/** What came of asking for money back that was paid for a request: what the seller said. */
export type RefundAnswer = { readonly ok: { readonly status: string } } | Undone

/** What a client did: it has an answer, would not pay, could not, or cannot do such a thing at all. */
export type ClientAnswer =
  | {
      readonly ok: {
        readonly status: number
        readonly body?: string
        readonly paid?: boolean
        /** Whether it relies on the signed receipt that came with the answer. */
        readonly signedReceipt?: boolean
        /** Whether it relies on the record of the sale that came with the answer. */
        readonly saleRecord?: boolean
      }
    }
  | Undone

/** What is tested, and how it is reached. The form of `x402-target.json`. */
export type Target = {
  readonly name: string
  readonly version?: string
  readonly language?: string
  readonly roles: {
    readonly facilitator?: Endpoint
    readonly server?: Endpoint
    readonly client?: ClientEndpoint
    readonly library?: LibraryEndpoint
  }
  /** What it claims to serve. Whatever is claimed and refused is a failure; nothing is skipped quietly. */
  readonly supports?: readonly Support[]
  /** Routes of `/conformance/` that a server has beside `paid`; all but those of extensions unless told. */
  readonly routes?: readonly string[]
}

/** One claim. `network` may end with `*`; `transfer` names ways of `exact` besides the usual one of the chain, such as `permit2`. */
export type Support = {
  readonly x402Version: 1 | 2
  readonly scheme: string
  readonly network: string
  readonly transfer?: readonly string[]
}

/** The family of a network, by its name in either version. */
export const familyOf = (network: string): Family | undefined =>
  /^(eip155:|base)/.test(network) ? 'evm' : /^solana/.test(network) ? 'svm' : undefined

/** Families that a target claims; all when it claims nothing. */
export const claimedFamilies = (supports: readonly Support[] | undefined): readonly Family[] =>
  (['evm', 'svm'] as const).filter((family) => supports?.some((each) => familyOf(each.network) === family) ?? true)

/** Whether a scheme is claimed on a family of chains, or a transfer method of it. Nothing is, by a target that claims nothing. */
export const isClaimed = (
  supports: readonly Support[] | undefined,
  family: Family,
  scheme: string,
  transfer?: string,
): boolean =>
  supports?.some(
    (each) =>
      each.scheme === scheme &&
      familyOf(each.network) === family &&
      (transfer === undefined || each.transfer?.includes(transfer) === true),
  ) ?? false

/** The version that the kit speaks with a target: 2, unless it claims nothing but version 1. */
export const versionOf = (supports: readonly Support[] | undefined): 1 | 2 =>
  supports !== undefined && supports.length > 0 && supports.every(({ x402Version }) => x402Version === 1) ? 1 : 2

/** A mistake in a manifest or in an option; exit code 64. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/**
 * Reads a manifest. Commands in it run in its folder. Throws `UsageError` that names the member that is wrong.
 *
 * @example
 * ```ts
 * const target = await readTarget('x402-target.json')
 * ```
 */
export async function readTarget(file: string): Promise<Target> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new UsageError(`${file} is no JSON`, { cause })
  }
  return decodeTarget(value, file)
}

function decodeTarget(value: unknown, file: string): Target {
  const wrong = (what: string): never => {
    throw new UsageError(`${file}: ${what}`)
  }
  if (!isObject(value)) return wrong('a target is a JSON object')
  const { name, version, language, roles, supports, routes } = value
  if (typeof name !== 'string' || name === '') return wrong('`name` is missing')
  if (!isObject(roles)) return wrong('`roles` is missing')
  const cwd = dirname(resolve(file))
  const names = Object.keys(roles)
  const unknown = names.find((role) => !['facilitator', 'server', 'client', 'library'].includes(role))
  if (unknown !== undefined) wrong(`\`roles.${unknown}\` is no role`)
  if (names.length === 0) wrong('`roles` is empty')
  const endpoint = (role: Role) => {
    const found = roles[role]
    if (found === undefined) return undefined
    if (!isObject(found) || (typeof found.url !== 'string' && typeof found.start !== 'string')) {
      return wrong(`\`roles.${role}\` needs \`url\` or \`start\``)
    }
    return typeof found.start === 'string' ? { cwd, ...found } : found
  }
  if (supports !== undefined && !(Array.isArray(supports) && supports.every(isObject)))
    wrong('`supports` is no list of objects')
  for (const role of ['client', 'library'] as const) {
    const found = roles[role]
    if (isObject(found) && typeof found.start !== 'string') wrong(`\`roles.${role}\` needs \`start\``)
  }
  const decoded = {
    facilitator: endpoint('facilitator'),
    server: endpoint('server'),
    client: endpoint('client'),
    library: endpoint('library'),
  }
  const given = Object.fromEntries(Object.entries(decoded).filter(([, each]) => each !== undefined))
  return {
    name,
    ...(typeof version === 'string' ? { version } : {}),
    ...(typeof language === 'string' ? { language } : {}),
    // Each member was looked at above.
    roles: given as Target['roles'],
    ...(supports === undefined ? {} : { supports: supports as readonly Support[] }),
    ...(Array.isArray(routes) ? { routes: routes.map(String) } : {}),
  }
}
