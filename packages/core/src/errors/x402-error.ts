import { type ErrorCode, errorInfo } from './codes.js'
import { type Problem, problem } from './problem.js'

/** Facts that belong to an error: short, printable, and never a key, a credential or a URL that holds one. */
export type ErrorContext = Readonly<Record<string, string | number | bigint | boolean | undefined>>

const docs = 'urn:x402:error:'

/**
 * The one fault that Groat throws: the world is broken, or the caller's code or configuration is.
 * A bad payment is never thrown; it is a returned refusal.
 * Recognise it with `X402Error.is`, which also works across two copies of the package.
 *
 * @example
 * throw new X402Error('rpc_unreachable', { network: 'eip155:8453' }, { cause })
 */
export class X402Error extends Error {
  override readonly name = 'X402Error'
  readonly code: ErrorCode
  readonly context: ErrorContext

  constructor(code: ErrorCode, context: ErrorContext = {}, options?: ErrorOptions) {
    const lines = Object.entries(context).flatMap(([key, value]) =>
      value === undefined ? [] : [`\n  ${key}: ${value}`],
    )
    const { title, hint } = errorInfo(code)
    super(`${title}.${lines.join('')}\n  ${hint} (${code})`, options)
    this.code = code
    this.context = Object.freeze({ ...context })
  }

  /** Where the code is explained. */
  get docs(): string {
    return docs + this.code
  }

  /**
   * Tells whether a thrown value is an X402Error, by name and code.
   *
   * @example
   * if (X402Error.is(e) && e.code === 'store_busy') retry()
   */
  static is(error: unknown): error is X402Error {
    return error instanceof Error && error.name === 'X402Error' && 'code' in error
  }

  /** The RFC 9457 problem of this error. It carries the registry's words and no context: context stays inside. */
  toProblem(extra: { readonly detail?: string; readonly reference?: string } = {}): Problem {
    return problem(this.code, extra)
  }
}
