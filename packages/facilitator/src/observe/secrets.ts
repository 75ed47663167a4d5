import { X402Error } from '@groat/core'

/** What of an error may be written to a log: codes and names, where it happened, and no text that could hold a secret. */
export type ErrorRecord = {
  readonly name: string
  readonly code?: string
  readonly message: string
  readonly at?: readonly string[]
  readonly cause?: ErrorRecord
}

/**
 * Takes out of a text what must not stand in a log: paths, queries and users of URLs, which are often keys, and long hex or base64, which may be
 * signatures, transactions or keys. Hosts stay.
 *
 * @example
 * scrub('connect to https://rpc.example/v2/KEY failed') // 'connect to https://rpc.example/… failed'
 */
export function scrub(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*):\/\/(?:[^\s/@]*@)?([^\s/?#"'<>]+)[^\s"'<>]*/gi, '$1://$2/…')
    .replace(/\b(?:0x)?[0-9a-fA-F]{64,}\b/g, '[hex]')
    .replace(/\bBearer +\S+/gi, 'Bearer […]')
    .replace(/\bgroat_[A-Za-z0-9_-]{20,}/g, '[key]')
    .replace(/[A-Za-z0-9+/_-]{80,}={0,2}/g, '[base64]')
    .slice(0, 1000)
}

/**
 * An error as a log may have it.
 *
 * @example
 * log.error({ error: errorRecord(error) })
 */
export function errorRecord(error: unknown, depth = 3): ErrorRecord {
  if (!(error instanceof Error)) return { name: 'unknown', message: scrub(String(error)) }
  const code = X402Error.is(error) ? error.code : 'code' in error ? scrub(String(error.code)) : undefined
  return {
    name: error.name,
    ...(code === undefined ? {} : { code }),
    message: scrub(error.message),
    at: framesOf(error),
    ...(error.cause === undefined || depth === 0 ? {} : { cause: errorRecord(error.cause, depth - 1) }),
  }
}

function framesOf({ stack = '' }: Error): readonly string[] {
  return stack
    .split('\n')
    .filter((line) => /^ +at /.test(line))
    .slice(0, 5)
    .map((line) => line.trim().replace(/\(?(?:file:\/\/)?\/.*\/(?=[^/]+\/[^/]+:\d+:\d+\)?$)/, '('))
}
