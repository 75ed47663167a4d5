/** Runs what it is given one after the other. */
export type Serial = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Makes a queue of one. A failure concerns only its own caller.
 *
 * @example
 * const inTurn = createSerial()
 * await inTurn(() => allocate())
 */
export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work, work)
    last = mine.catch(() => undefined)
    return mine
  }
}
