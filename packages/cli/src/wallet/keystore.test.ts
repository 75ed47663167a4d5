import { describe, expect, test } from 'vitest'
import { isKeystore, openKeystore, sealEvmKey, sealSvmKey } from './keystore.js'

// The test vectors of the Web3 Secret Storage definition.
const secret = '7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d'
const vectors = {
  pbkdf2: {
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
      ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
      kdf: 'pbkdf2',
      kdfparams: {
        c: 262144,
        dklen: 32,
        prf: 'hmac-sha256',
        salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd',
      },
      mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
    },
    id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
    version: 3,
  },
  scrypt: {
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: '83dbcc02d8ccb40e466191a123791e0e' },
      ciphertext: 'd172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c',
      kdf: 'scrypt',
      kdfparams: {
        dklen: 32,
        n: 262144,
        p: 8,
        r: 1,
        salt: 'ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19',
      },
      mac: '2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097',
    },
    id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
    version: 3,
  },
}

describe('Web3 Secret Storage', () => {
  test('opens what others sealed', () => {
    const { family, secret: found } = openKeystore(JSON.stringify(vectors.pbkdf2), 'testpassword')
    expect([family, Buffer.from(found).toString('hex')]).toEqual(['evm', secret])
  })

  test('scrypt as RFC 7914 allows it: a block size of 1 does not go with so large a cost', () => {
    expect(() => openKeystore(JSON.stringify(vectors.scrypt), 'testpassword')).toThrow(
      expect.objectContaining({ code: 'keystore_unreadable', context: { reason: 'unknown kdf' } }),
    )
  })

  test('opens what it sealed, with the right password only', () => {
    const key = Uint8Array.from(Buffer.from(secret, 'hex'))
    const sealed = sealEvmKey(key, '0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b', 'right')
    expect(isKeystore(sealed)).toBe(true)
    expect(sealed).not.toContain(secret)
    expect(openKeystore(sealed, 'right').secret).toEqual(key)
    expect(() => openKeystore(sealed, 'wrong')).toThrow(expect.objectContaining({ code: 'keystore_unreadable' }))
  })
})

test('a Solana key is bound to its address', () => {
  const key = Uint8Array.from({ length: 64 }, (_, i) => i)
  const sealed = sealSvmKey(key, 'Address1', 'right')
  expect(openKeystore(sealed, 'right')).toEqual({ family: 'svm', secret: key })
  for (const [text, password] of [
    [sealed, 'wrong'],
    [sealed.replace('Address1', 'Address2'), 'right'],
  ] as const) {
    expect(() => openKeystore(text, password)).toThrow(expect.objectContaining({ code: 'keystore_unreadable' }))
  }
})

test.each([
  '',
  '{}',
  '{"version":3}',
  JSON.stringify({
    ...vectors.scrypt,
    crypto: { ...vectors.scrypt.crypto, kdfparams: { n: 2 ** 40, r: 8, p: 1, dklen: 32, salt: '' } },
  }),
  JSON.stringify({
    ...vectors.pbkdf2,
    crypto: { ...vectors.pbkdf2.crypto, kdfparams: { c: 1e12, dklen: 32, prf: 'hmac-sha256', salt: '' } },
  }),
])('a broken or greedy keystore is refused at once', (text) => {
  expect(() => openKeystore(text, 'x')).toThrow(expect.objectContaining({ code: 'keystore_unreadable' }))
})
