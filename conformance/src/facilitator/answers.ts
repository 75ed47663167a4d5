import { type Answer, isObject, jsonIn } from '../http/exchange.js'
import { fail, warn } from '../model/finding.js'

/** The answer of `/verify`. */
export type Verdict = {
  readonly answer: Answer
  readonly body: Readonly<Record<string, unknown>>
  readonly isValid: boolean
  /** The code in `invalidReason`, or in whatever stands in its place. */
  readonly reason: string | undefined
}

/** The answer of `/settle`. */
export type Receipt = {
  readonly answer: Answer
  readonly body: Readonly<Record<string, unknown>>
  readonly success: boolean
  readonly transaction: string
  readonly reason: string | undefined
}

/** What an answer of `/verify` says. */
export function readVerdict(answer: Answer): Verdict {
  const body = jsonIn(answer)
  const members = isObject(body) ? body : {}
  return { answer, body: members, isValid: members.isValid === true, reason: codeIn(members, 'invalidReason') }
}

/** What an answer of `/settle` says. */
export function readReceipt(answer: Answer): Receipt {
  const body = jsonIn(answer)
  const members = isObject(body) ? body : {}
  const transaction = typeof members.transaction === 'string' ? members.transaction : ''
  return {
    answer,
    body: members,
    success: members.success === true,
    transaction,
    reason: codeIn(members, 'errorReason'),
  }
}

/** Fails unless a payment was refused; warns when the reason is none of these codes. */
export function expectRefused(verdict: Verdict, codes: readonly string[], because: string): void {
  const { answer, isValid, reason } = verdict
  if (isValid) fail(`/verify accepts ${because}`, 'isValid: false', answer.text)
  if (answer.status >= 500)
    fail(`/verify blames itself for ${because}`, 'isValid: false', `${answer.status} ${answer.text}`)
  const isVerdict = verdict.body.isValid === false || (answer.status >= 400 && answer.status < 500)
  if (!isVerdict) fail(`/verify gives no verdict on ${because}`, 'isValid: false', `${answer.status} ${answer.text}`)
  if (codes.length > 0 && !codes.includes(reason ?? '')) {
    warn(`/verify refuses ${because} for another reason`, codes.join(' or '), reason ?? 'no reason')
  }
}

/** Fails unless the payment was accepted. */
export function expectValid({ answer, isValid }: Verdict, what = 'a payment that is right'): void {
  if (!isValid) fail(`/verify refuses ${what}`, 'isValid: true', `${answer.status} ${answer.text}`)
}

/** Fails unless the receipt says that the payment settled. */
export function expectSettled({ answer, success }: Receipt, what = 'a payment that is right'): void {
  if (!success) fail(`/settle refuses ${what}`, 'success: true', `${answer.status} ${answer.text}`)
}

/** The code is what stands before the first colon and space. */
function codeIn(body: Readonly<Record<string, unknown>>, member: string): string | undefined {
  const found = [body[member], body.code, body.error].find((each) => typeof each === 'string')
  return typeof found === 'string' ? found.split(': ')[0] : undefined
}
