import {
  createCipheriv,
  createDecipheriv,
  pbkdf2Sync,
  randomBytes,
  randomUUID,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto'
import { X402Error } from '@groat/core'
import { nobleSigningEngine } from '@groat/evm/crypto'

/** A key out of a keystore, in the form in which the family writes it: 0x and hex digits, or base58. */
export type OpenedKeystore = { readonly family: 'evm' | 'svm'; readonly secret: Uint8Array }

/** How hard a password is to guess: scrypt with 128 MiB. */
const SCRYPT = { n: 131_072, r: 8, p: 1, dklen: 32 }
/** Most memory that a keystore may ask for: files come from anywhere. */
const MAX_MEMORY = 1_073_741_824
const MAX_ROUNDS = 10_000_000

/**
 * An EVM key as Web3 Secret Storage, version 3: what every EVM wallet imports.
 *
 * @example
 * await writeFile('evm.json', sealEvmKey(key, address, password), { mode: 0o600 })
 */
export function sealEvmKey(key: Uint8Array, address: string, password: string): string {
  const [salt, iv] = [randomBytes(32), randomBytes(16)]
  const derived = derive(password, salt, SCRYPT)
  const cipher = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv)
  const ciphertext = Buffer.concat([cipher.update(key), cipher.final()])
  const crypto = {
    ciphertext: ciphertext.toString('hex'),
    cipherparams: { iv: iv.toString('hex') },
    cipher: 'aes-128-ctr',
    kdf: 'scrypt',
    kdfparams: { ...SCRYPT, salt: salt.toString('hex') },
    mac: macOf(derived, ciphertext).toString('hex'),
  }
  return JSON.stringify({ version: 3, id: randomUUID(), address: address.slice(2).toLowerCase(), crypto }, null, 2)
}

/**
 * A Solana key under AES-256-GCM, with the address as the data that is bound to it.
 *
 * @example
 * await writeFile('svm.json', sealSvmKey(key, address, password), { mode: 0o600 })
 */
export function sealSvmKey(key: Uint8Array, address: string, password: string): string {
  const [salt, iv] = [randomBytes(32), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', derive(password, salt, SCRYPT), iv).setAAD(Buffer.from(address))
  const ciphertext = Buffer.concat([cipher.update(key), cipher.final()])
  return JSON.stringify(
    {
      groat: 'keystore/svm/1',
      address,
      kdf: 'scrypt',
      kdfparams: { ...SCRYPT, salt: salt.toString('hex') },
      cipher: 'aes-256-gcm',
      iv: iv.toString('hex'),
      ciphertext: ciphertext.toString('hex'),
      tag: cipher.getAuthTag().toString('hex'),
    },
    null,
    2,
  )
}

/** Whether a text is a keystore of one of the two kinds, whatever its password. */
export function isKeystore(text: string): boolean {
  const store = parsed(text)
  return store?.version === 3 || store?.groat === 'keystore/svm/1'
}

/**
 * Opens a keystore. Throws `X402Error` `keystore_unreadable` for a wrong password and a broken file alike.
 *
 * @example
 * const { family, secret } = openKeystore(await readFile('evm.json', 'utf8'), password)
 */
export function openKeystore(text: string, password: string): OpenedKeystore {
  try {
    const store = parsed(text) ?? {}
    return store.groat === 'keystore/svm/1'
      ? { family: 'svm', secret: openSvm(store, password) }
      : { family: 'evm', secret: openEvm(store, password) }
  } catch (cause) {
    throw X402Error.is(cause) ? cause : new X402Error('keystore_unreadable', {}, { cause })
  }
}

type Members = Readonly<Record<string, unknown>>

function openEvm(store: Members, password: string): Uint8Array {
  // Older writers begin it with a capital.
  const crypto = members(store.crypto ?? store.Crypto)
  if (store.version !== 3 || crypto.cipher !== 'aes-128-ctr') throw unreadable('not version 3 with aes-128-ctr')
  const params = members(crypto.kdfparams)
  const salt = hexOf(params.salt)
  const derived =
    crypto.kdf === 'pbkdf2' ? pbkdf2(password, salt, params) : derive(password, salt, numbersOf(params, crypto.kdf))
  const ciphertext = hexOf(crypto.ciphertext)
  const [mac, wanted] = [macOf(derived, ciphertext), hexOf(crypto.mac)]
  if (mac.length !== wanted.length || !timingSafeEqual(mac, wanted)) throw unreadable('wrong password')
  const decipher = createDecipheriv('aes-128-ctr', derived.subarray(0, 16), hexOf(members(crypto.cipherparams).iv))
  const secret = Buffer.concat([decipher.update(ciphertext), decipher.final()])
  if (secret.length !== 32) throw unreadable('no key of 32 bytes')
  return new Uint8Array(secret)
}

function openSvm(store: Members, password: string): Uint8Array {
  const params = members(store.kdfparams)
  const derived = derive(password, hexOf(params.salt), numbersOf(params, store.kdf))
  const decipher = createDecipheriv('aes-256-gcm', derived, hexOf(store.iv), { authTagLength: 16 })
    .setAAD(Buffer.from(String(store.address)))
    .setAuthTag(hexOf(store.tag))
  const secret = Buffer.concat([decipher.update(hexOf(store.ciphertext)), decipher.final()])
  if (secret.length !== 64) throw unreadable('no key of 64 bytes')
  return new Uint8Array(secret)
}

function derive(password: string, salt: Uint8Array, { n, r, p, dklen }: typeof SCRYPT): Buffer {
  const maxmem = 128 * n * r + 128 * r * p + 1_048_576
  if (maxmem > MAX_MEMORY || p > 16) throw unreadable('asks for too much memory')
  return scryptSync(password, salt, dklen, { N: n, r, p, maxmem })
}

function pbkdf2(password: string, salt: Uint8Array, { c, dklen, prf }: Members): Buffer {
  if (prf !== 'hmac-sha256' || dklen !== 32 || typeof c !== 'number' || c > MAX_ROUNDS) throw unreadable('unknown kdf')
  return pbkdf2Sync(password, salt, c, 32, 'sha256')
}

function numbersOf({ n, r, p, dklen }: Members, kdf: unknown): typeof SCRYPT {
  const all = [n, r, p].every((value) => Number.isSafeInteger(value) && Number(value) > 0)
  // RFC 7914: the cost is below 2 to the 16th per block of the block size.
  const isAllowed = all && Number(n) < 2 ** (16 * Number(r))
  if (kdf !== 'scrypt' || !isAllowed || dklen !== 32) throw unreadable('unknown kdf')
  return { n: Number(n), r: Number(r), p: Number(p), dklen: 32 }
}

function macOf(derived: Buffer, ciphertext: Uint8Array): Buffer {
  return Buffer.from(
    nobleSigningEngine.keccak256(Uint8Array.from(Buffer.concat([derived.subarray(16, 32), ciphertext]))),
  )
}

function hexOf(value: unknown): Buffer {
  if (typeof value !== 'string' || !/^([0-9a-fA-F]{2})*$/.test(value)) throw unreadable('malformed')
  return Buffer.from(value, 'hex')
}

function members(value: unknown): Members {
  // Narrowed by the test; what the members are is looked at where they are used.
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}

function parsed(text: string): Members | undefined {
  try {
    return members(JSON.parse(text))
  } catch {
    return undefined
  }
}

const unreadable = (reason: string) => new X402Error('keystore_unreadable', { reason })
