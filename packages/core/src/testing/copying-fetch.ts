/**
 * A `fetch` that keeps a copy of every answer and never reads it, as frameworks do that serve a second caller from it. The body of such an
 * answer cannot be cancelled to the end.
 */
export function copyingFetch(
  fetch: (request: Request) => Promise<Response> = globalThis.fetch,
): typeof globalThis.fetch {
  const held: Response[] = []
  return async (input, init) => {
    const answer = await fetch(new Request(input, init))
    held.push(answer.clone())
    return answer
  }
}
