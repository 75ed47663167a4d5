import { messageOf } from '#registry'
import type { ErrorCode } from './code-names.js'

/** Facts that belong to an error: short, printable, and never a key, a credential or a URL that holds one. */
export type ErrorContext = Readonly<Record<string, string | number | bigint | boolean | undefined>>

const docs = 'urn:x402:error:'

/**
 * The one fault that Groat throws: the world is broken, or the caller's code or configuration is.
 * A bad payment is never thrown; it is a returned refusal.
 * A program decides by `code`, a person reads the message; `problem(error.code)` is what a stranger may be told.
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
    const facts = Object.entries(context).flatMap(([key, value]) =>
      value === undefined ? [] : [`\n  ${key}: ${value}`],
    )
    super(messageOf(code, facts.join('')), options)
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
}
