/** The exit codes of every command. */
export const exitCodes = { ok: 0, no: 1, usage: 2, unreachable: 3 } as const

/** Ends a command with a line for the person and an exit code for the script. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number
  /** What to do next, when there is something. */
  readonly hint: string | undefined

  constructor(kind: keyof typeof exitCodes, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCodes[kind]
    this.hint = hint
  }
}
