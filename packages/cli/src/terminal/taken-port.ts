import { X402Error } from '@groat/core'
import { CliError } from './exit.js'

/** A port that somebody else has, with the way out: the field of the file that names it, or `--port` where there is no file. */
export function portTaken(port: number, { field, cause }: { readonly field?: string; readonly cause?: unknown }) {
  const other =
    field === undefined ? 'choose another with --port: 0 takes free ones' : `write another as \`${field}\` in the file`
  return new CliError('unreachable', `Port ${port} is taken`, `Stop what listens there, or ${other}.`, { cause })
}

/**
 * What a listener failed of: a port that is taken is said with the field of the file that names it, everything else stays what it is.
 *
 * @example
 * await serveApp(fetch, { host, port }).catch((error: unknown) => Promise.reject(namingPort(error, 'listen')))
 */
export function namingPort(error: unknown, field?: string): unknown {
  if (!X402Error.is(error) || error.context.reason !== 'EADDRINUSE') return error
  return portTaken(Number(error.context.port), { ...(field === undefined ? {} : { field }), cause: error })
}
