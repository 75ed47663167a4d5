/** Runtimes that are not Node have no client of their own here: `callOver(fetch)` is theirs. */
export const Agent: typeof import('undici').Agent | undefined = undefined
