import type { Pid } from '@groat/core'

/** Makes and reads the tokens by which an entitlement is used: the payment's identity, and a mark that only this store can make. */
export interface Bearers {
  make(what: string): Promise<string>
  /** The payment of a token; `undefined` when it is none of ours. */
  read(token: string): Promise<Pid | undefined>
}

/** Tokens by a key, HMAC-SHA256. Nothing of them has to be stored. */
export function createBearers(key: Uint8Array<ArrayBuffer>): Bearers {
  const { subtle } = globalThis.crypto
  let imported: ReturnType<typeof subtle.importKey> | undefined
  const hmac = () => {
    imported ??= subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
    return imported
  }
  return {
    make: async (what) => `${what}.${hexOf(new Uint8Array(await subtle.sign('HMAC', await hmac(), bytesOf(what))))}`,
    read: async (token) => {
      const [, pid, mark] = TOKEN.exec(token) ?? []
      if (pid === undefined || mark === undefined) return undefined
      const good = await subtle.verify('HMAC', await hmac(), fromHex(mark), bytesOf(pid))
      // A pid that we marked is one that we were given.
      return good ? (pid as Pid) : undefined
    },
  }
}

const TOKEN = /^([!-\-/-~]{1,128})\.([0-9a-f]{64})$/

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}
