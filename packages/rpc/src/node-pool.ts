import type { Clock, ErrorCode, NodeStatus } from '@groat/core'

/** One node, and what is known of it. */
export type Node = {
  readonly url: string
  /** Its host, with its number in the list where several have the same. */
  readonly name: string
  /** It has shown which chain it serves, and has not been gone since. */
  trusted: boolean
  /** In a row; when the first of them was asked, and when the last was counted. */
  failures: number
  failingSince: number
  failedAt: number
  /** Milliseconds since 1970 until which others are asked first. */
  restUntil: number
  /** One question is under way that decides whether the node is back. */
  onTrial: boolean
  fault: ErrorCode | undefined
  head: bigint | undefined
  lag: bigint
  latencyMs: number | undefined
}

/** Which node to ask, by how they have answered. */
export interface NodePool {
  readonly nodes: readonly Node[]
  /**
   * The nodes that may be asked now, the best first: in the configured order, those that lag behind after those that do not, and those that
   * have just failed last. A node that is down is not among them, but for one question after each rest.
   */
  order(): readonly Node[]
  succeeded(node: Node, latencyMs: number): void
  /** `restMs`: the rest that the node itself asks for. */
  failed(node: Node, what: { readonly code: ErrorCode; readonly began: number; readonly restMs: number }): void
  /** The heights that all nodes gave when they were asked together. */
  heads(found: ReadonlyMap<Node, bigint>): void
  status(): readonly NodeStatus[]
}

/** What a pool goes by. */
export type NodePoolOptions = {
  readonly urls: readonly string[]
  readonly clock: Clock
  /** From 0 to 1. */
  readonly jitter: () => number
  /** Blocks by which a node may be behind the foremost. */
  readonly maxLag: bigint
}

/** Failures in a row after which a node is down and left alone. */
const BREAKER = 5

/** Milliseconds without any answer after which it is too: one that hangs takes its time to fail. */
const SILENCE_MS = 8_000

/** Milliseconds of rest after a first failure, doubled by each further one. */
const REST_MS = 200

/** The longest rest: a node that is back is found within that. */
const MAX_REST_MS = 5_000

/** Makes a pool of nodes that are all taken to be well. */
export function createNodePool({ urls, clock, jitter, maxLag }: NodePoolOptions): NodePool {
  const hosts = urls.map(hostOf)
  const nodes = urls.map(
    (url, at): Node => ({
      url,
      name: nameOf(hosts, at),
      trusted: false,
      failures: 0,
      failingSince: 0,
      failedAt: Number.NEGATIVE_INFINITY,
      restUntil: 0,
      onTrial: false,
      fault: undefined,
      head: undefined,
      lag: 0n,
      latencyMs: undefined,
    }),
  )

  return {
    nodes,
    order() {
      const now = clock()
      const rank = (node: Node) => (node.restUntil > now ? 2 : node.lag > maxLag ? 1 : 0)
      const open = (node: Node) => isDown(node) && (node.onTrial || node.restUntil > now)
      return nodes.filter((node) => !open(node)).sort((a, b) => rank(a) - rank(b))
    },
    succeeded(node, latencyMs) {
      node.failures = 0
      node.restUntil = 0
      node.fault = undefined
      node.latencyMs = node.latencyMs === undefined ? latencyMs : node.latencyMs * 0.8 + latencyMs * 0.2
    },
    failed(node, { code, began, restMs }) {
      node.trusted = false
      // Questions that were under way together fail together: that is one failure.
      if (began >= node.failedAt) {
        if (node.failures === 0) node.failingSince = began
        node.failures += 1
        node.failedAt = clock()
      }
      node.fault = code
      const rest = Math.min(MAX_REST_MS, REST_MS * 2 ** (node.failures - 1)) * (0.5 + jitter() / 2)
      node.restUntil = clock() + Math.max(rest, Math.min(restMs, MAX_REST_MS))
    },
    heads(found) {
      let foremost = 0n
      for (const head of found.values()) if (head > foremost) foremost = head
      for (const [node, head] of found) {
        node.head = head
        node.lag = foremost - head
      }
    },
    status: () =>
      nodes.map((node) => ({
        host: node.name,
        state: isDown(node) ? 'down' : node.failures > 0 ? 'failing' : node.lag > maxLag ? 'behind' : 'up',
        failures: node.failures,
        lag: node.lag,
        ...(node.fault === undefined ? {} : { fault: node.fault }),
        ...(node.head === undefined ? {} : { head: node.head }),
        ...(node.latencyMs === undefined ? {} : { latencyMs: Math.round(node.latencyMs) }),
      })),
  }
}

function isDown({ failures, failingSince, failedAt }: Node): boolean {
  return failures >= BREAKER || (failures > 1 && failedAt - failingSince >= SILENCE_MS)
}

/** Nodes of one host are told apart by their place in the list. */
function nameOf(hosts: readonly string[], at: number): string {
  const host = hosts[at] ?? ''
  return hosts.indexOf(host) === hosts.lastIndexOf(host) ? host : `${host} #${at + 1}`
}

/** Paths and queries of nodes are often keys, and so are user names. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : ''
}
