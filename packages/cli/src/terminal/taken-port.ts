import { createServer } from 'node:net'
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

/**
 * Looks whether a port is free, by listening there for a moment. Throws what `portTaken` makes where it is not; whatever else is wrong is said by
 * whoever listens.
 *
 * @example
 * await probePort({ host: '127.0.0.1', port: 4402 }, 'listen')
 */
export async function probePort({ host, port }: { readonly host: string; readonly port: number }, field: string) {
  if (port === 0) return
  const server = createServer()
  const cause = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('error', resolve)
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
  if (cause?.code === 'EADDRINUSE') throw portTaken(port, { field, cause })
}
