import type { Pid } from '@groat/core'

/** Makes and reads the tokens by which an entitlement is used: the payment's identity, and a mark that only this store can make. */
export interface Bearers {
  make(what: string): Promise<string>
  /** The payment of a token; `undefined` when it is none of ours. */
  read(token: string): Promise<Pid | undefined>
}

/** Tokens by a key, HMAC-SHA256. Nothing of them has to be stored. */
export function createBearers(
  key: Uint8Array<ArrayBuffer>,
  marksBy = node === undefined ? webMarks : nodeMarks(node),
): Bearers {
  const marks = marksBy(key)
  return {
    make: async (what) => `${what}.${await marks.make(what)}`,
    read: async (token) => {
      const [, pid, mark] = TOKEN.exec(token) ?? []
      if (pid === undefined || mark === undefined) return undefined
      // A pid that we marked is one that we were given.
      return (await marks.isOf(pid, mark)) ? (pid as Pid) : undefined
    },
  }
}

/** Marks by a key as 64 hexadecimal digits, compared in a time that says nothing. */
type Marks = {
  make(what: string): string | Promise<string>
  isOf(what: string, mark: string): boolean | Promise<boolean>
}

type NodeCrypto = typeof import('node:crypto')

// Asked for at run time, so that no bundle for other runtimes has it: it answers at once, where WebCrypto asks another thread.
const node: NodeCrypto | undefined = globalThis.process?.getBuiltinModule?.('node:crypto')

function nodeMarks({ createHmac, timingSafeEqual }: NodeCrypto): (key: Uint8Array<ArrayBuffer>) => Marks {
  return (key) => {
    const hmac = (what: string) => createHmac('sha256', key).update(what).digest()
    return {
      make: (what) => hmac(what).toString('hex'),
      isOf: (what, mark) => timingSafeEqual(hmac(what), Buffer.from(mark, 'hex')),
    }
  }
}

/** The same on runtimes without Node's modules. */
export function webMarks(key: Uint8Array<ArrayBuffer>): Marks {
  const { subtle } = globalThis.crypto
  let imported: ReturnType<typeof subtle.importKey> | undefined
  const hmac = () => {
    imported ??= subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
    return imported
  }
  return {
    make: async (what) => hexOf(new Uint8Array(await subtle.sign('HMAC', await hmac(), bytesOf(what)))),
    isOf: async (what, mark) => subtle.verify('HMAC', await hmac(), fromHex(mark), bytesOf(what)),
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
