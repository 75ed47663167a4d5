import { readFile } from 'node:fs/promises'
import { CliError } from '../terminal/exit.js'
import { plain } from '../terminal/io.js'

/** How a request is written on the command line. */
export type RequestOptions = {
  readonly method?: string
  readonly header?: readonly string[]
  /** The body, or `@` and the file that it stands in. */
  readonly data?: string
}

/**
 * Gathers an option that may come more than once, one value each time. A list without an end would take along the URL that stands after it.
 *
 * @example
 * command.option('--network <name>', 'network to pay on', gathered)
 */
export function gathered(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

/** The URL that was asked for. */
export function parseTarget(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined
  if (target && /^https?:$/.test(target.protocol)) return target
  throw new CliError(
    'usage',
    `${url} is not an http or https URL`,
    'Write it in full, such as https://api.example/weather',
  )
}

/** What goes with the request. Throws a usage error for what is no request. */
export async function requestInit(
  target: URL,
  { method, header = [], data }: RequestOptions,
): Promise<RequestInit & { readonly method: string }> {
  const headers = new Headers()
  for (const line of header) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new CliError('usage', `${line} is not a header`, 'Write it as "Name: value".')
    try {
      headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
    } catch (cause) {
      throw new CliError(
        'usage',
        `${plain(line)} is not a header`,
        'Names are of letters, digits and -, values of Latin-1.',
        {
          cause,
        },
      )
    }
  }
  const init = {
    method: method?.toUpperCase() ?? (data === undefined ? 'GET' : 'POST'),
    headers,
    ...(data === undefined ? {} : { body: await bodyOf(data) }),
  }
  try {
    new Request(target, init)
  } catch (cause) {
    throw new CliError('usage', `${init.method} is not a method for this`, 'GET and HEAD have no body.', { cause })
  }
  return init
}

/** As curl has it: `@order.json` is the file, to the byte. */
async function bodyOf(data: string): Promise<string | Uint8Array<ArrayBuffer>> {
  if (!data.startsWith('@')) return data
  return new Uint8Array(
    await readFile(data.slice(1)).catch((cause: unknown) => {
      const hint = 'After @ stands the name of a file; a body that begins with @ has to stand in one.'
      throw new CliError('usage', `${plain(data.slice(1))} cannot be read`, hint, { cause })
    }),
  )
}
