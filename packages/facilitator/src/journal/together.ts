/**
 * Waits for statements that were sent together. They run in the order in which they were sent, and where the database is over a connection they cost one
 * round trip. None is under way any more when this ends; it throws what the first that failed threw.
 *
 * @example
 * const [payers, standings] = await together([statements.payers(trx, { accounts }), statements.standings(trx, { pids })])
 */
export async function together<const T extends readonly unknown[]>(
  sent: T,
): Promise<{ -readonly [At in keyof T]: Awaited<T[At]> }> {
  await Promise.allSettled(sent)
  // All have settled: the first in the list that failed throws.
  return Promise.all(sent)
}
