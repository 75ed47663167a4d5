import { asciiJson, type ErrorCode, PROBLEM_TYPE, problem } from '@groat/core'

/**
 * A problem (RFC 9457) as the answer to a request. `status`: where it is another one here than the code's own.
 *
 * @example
 * problemResponse('not_found')
 */
export function problemResponse(
  code: ErrorCode,
  about: {
    readonly status?: number
    readonly detail?: string
    readonly headers?: Readonly<Record<string, string>>
  } = {},
): Response {
  const { detail, headers } = about
  const said = problem(code, detail === undefined ? {} : { detail })
  const { status = said.status } = about
  return new Response(asciiJson({ ...said, status }), {
    status,
    headers: { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...headers },
  })
}
