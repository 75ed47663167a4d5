/** What works in the background until it is stopped: books, refunds. */
export type Kept = { start(): { stop(): Promise<void> } }

/** Keeps what a shop does in the background going while its file changes: the one that the file names now, and never two at once. */
export function createKeeping<K extends Kept>(): { use(kept: K | undefined): void; stop(): Promise<void> } {
  let running: Promise<{ stop(): Promise<void> } | undefined> = Promise.resolve(undefined)
  let hasEnded = false
  const change = (kept: K | undefined): void => {
    running = running.then(async (before) => {
      await before?.stop()
      return kept?.start()
    })
  }
  return {
    // A file that is read while the shop closes begins nothing.
    use: (kept) => {
      if (!hasEnded) change(kept)
    },
    stop: async () => {
      hasEnded = true
      change(undefined)
      await running
    },
  }
}
