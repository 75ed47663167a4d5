import { codeNames, type ErrorCode } from './code-names.js'
import { errorInfo } from './codes.js'

/** The message of an error: what happened, the facts (lines, each with its line break before it), what to do next, and the code. */
export function messageOf(code: ErrorCode, facts: string): string {
  const { title, hint } = errorInfo(code)
  return `${title}.${facts}\n  ${hint} (${code})`
}

/** Whether the registry has this code. */
export function isListed(text: string): text is ErrorCode {
  return known.has(text)
}

const known: ReadonlySet<string> = new Set(codeNames)
