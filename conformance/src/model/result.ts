/** What is tested. */
export type Role = 'facilitator' | 'server' | 'client' | 'library'

/** A family of chains on which money moves. */
export type Family = 'evm' | 'svm'

/** Checks whose basis is upstream or practice are `core`; what this project asks beyond that is `hardening`. */
export type Profile = 'core' | 'hardening'

/**
 * `warn`: a SHOULD is not met, or a refusal gives another reason than it ought to. `untestable`: what the check needs is
 * not there, which is as red as a failure. `harness-error`: the kit itself is at fault.
 */
export type Status = 'pass' | 'fail' | 'warn' | 'not-applicable' | 'untestable' | 'harness-error'

/** One request to or from a target, as far as it got. Bodies are cut. */
export type Exchange = {
  /** Milliseconds since the check began. */
  readonly at: number
  readonly who: string
  readonly method: string
  readonly url: string
  readonly requestHeaders?: Readonly<Record<string, string>>
  readonly requestBody?: string
  readonly status?: number
  readonly responseHeaders?: Readonly<Record<string, string>>
  readonly responseBody?: string
  /** Why there is no answer. */
  readonly failure?: string
}

/** What a check did to one account, in atomic units. */
export type ChainDiff = {
  readonly who: string
  readonly account: string
  readonly network: string
  readonly before: string
  readonly after: string
}

/** The first difference between what is asked and what was seen. */
export type FindingText = { readonly what: string; readonly expected?: string; readonly saw?: string }

/** One check against one target, and what came of it. A line of `results.ndjson`. */
export type CheckResult = {
  readonly type: 'result'
  /** `FAC-031/twice/evm`: requirement, case, and the chain family where there is one. */
  readonly check: string
  readonly requirement: string
  readonly role: Role
  readonly kind: CheckKind
  readonly profile: Profile
  readonly level: string
  readonly title: string
  readonly status: Status
  readonly ms: number
  /** For warnings, failures, and what could not be tested. */
  readonly finding?: FindingText
  /** What it means when the requirement is broken. */
  readonly hint?: string
  /** The smallest input found that shows it. */
  readonly counterexample?: unknown
  /** `groat conform replay` takes it. */
  readonly replay?: string
  /** Path to the counterexample, for fast-check. */
  readonly path?: string
  /** The seed that goes with the path. */
  readonly pathSeed?: number
  readonly trace?: readonly Exchange[]
  readonly chain?: readonly ChainDiff[]
}

/** How a check is made: fixed messages, an exchange, generated inputs, or sequences of actions. */
export type CheckKind = 'vector' | 'scenario' | 'property' | 'model'
