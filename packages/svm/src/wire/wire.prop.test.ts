import {
  AccountRole,
  type Address,
  appendTransactionMessageInstructions,
  blockhash,
  compileTransaction,
  createTransactionMessage,
  getAddressDecoder,
  getBase58Decoder,
  getBase58Encoder,
  getCompiledTransactionMessageDecoder,
  getProgramDerivedAddress,
  getTransactionDecoder,
  getTransactionEncoder,
  isOffCurveAddress,
  pipe,
  setTransactionMessageFeePayer,
  setTransactionMessageLifetimeUsingBlockhash,
} from '@solana/kit'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sameBytes } from './bytes.js'
import {
  associatedTokenAccount,
  decodeBase58,
  decodeBase64,
  decodeTransaction,
  encodeBase58,
  encodeBase64,
  encodeMessage,
  encodeTransaction,
  formatAddress,
  isOnCurve,
  parseAddress,
  programs,
  type Transaction,
} from './index.js'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const anyBytes = fc.uint8Array({ maxLength: 80 })
const key = bytes(32)
const signature = bytes(64)
const role = fc.record({ key, signer: fc.boolean(), writable: fc.boolean() })
const plan = fc
  .record({
    feePayer: key,
    blockhash: key,
    version: fc.constantFrom<'legacy' | 0>('legacy', 0),
    instructions: fc.array(
      fc.record({ program: key, accounts: fc.array(role, { maxLength: 4 }), data: fc.uint8Array({ maxLength: 200 }) }),
      { maxLength: 4 },
    ),
  })
  // Who pays the fee is no program, and neither is an account that is written to: others refuse to build that.
  .filter(({ feePayer, instructions }) =>
    instructions.every(({ program }) =>
      [{ key: feePayer, signer: true, writable: true }, ...instructions.flatMap(({ accounts }) => accounts)].every(
        ({ key: account, signer, writable }) => !(signer || writable) || !sameBytes(account, program),
      ),
    ),
  )
  // Nor what more than 12 have to sign.
  .filter(
    ({ instructions }) => instructions.flatMap(({ accounts }) => accounts.filter(({ signer }) => signer)).length < 12,
  )

describe('text', () => {
  test('base58 is what everybody’s is, and comes back', () => {
    fc.assert(
      fc.property(anyBytes, (data) => {
        const text = encodeBase58(data)
        expect(text).toBe(getBase58Decoder().decode(data))
        expect(decodeBase58(text)).toEqual(data)
      }),
    )
  })

  test('any text is base58 to us only if it is to others, and has one spelling', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 90 }), fc.base64String({ maxLength: 90 })), (text) => {
        const read = decodeBase58(text)
        if (read === undefined) expect(() => getBase58Encoder().encode(text)).toThrow()
        else expect(encodeBase58(read)).toBe(text)
      }),
    )
  })

  test('SVM-EXACT-026 base64 has one spelling', () => {
    fc.assert(
      fc.property(anyBytes, fc.string({ maxLength: 40 }), (data, text) => {
        expect(encodeBase64(data)).toBe(Buffer.from(data).toString('base64'))
        expect(decodeBase64(encodeBase64(data))).toEqual(data)
        const read = decodeBase64(text)
        if (read !== undefined) expect(encodeBase64(read)).toBe(text)
      }),
    )
    for (const other of ['AQI', 'AQJ=', 'AQ I=', 'AQI=\n', 'AQI_', 'AQI==']) expect(decodeBase64(other)).toBeUndefined()
  })

  test('an address has 32 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 28, maxLength: 36 }), (data) => {
        expect(parseAddress(encodeBase58(data))).toEqual(data.length === 32 ? data : undefined)
      }),
    )
    expect(formatAddress(programs.system)).toBe('1'.repeat(32))
  })
})

describe('derived addresses', () => {
  test('the curve is the one of others', () => {
    fc.assert(
      fc.property(key, (candidate) => {
        expect(isOnCurve(candidate)).toBe(!isOffCurveAddress(getAddressDecoder().decode(candidate)))
      }),
    )
  })

  test('SVM-EXACT-040 a token account is where others find it, under either program', async () => {
    await fc.assert(
      fc.asyncProperty(key, key, fc.boolean(), async (owner, mint, newer) => {
        const tokenProgram = newer ? programs.token2022 : programs.token
        const [address] = await getProgramDerivedAddress({
          programAddress: addressOf(programs.associatedToken),
          seeds: [owner, tokenProgram, mint],
        })
        expect(formatAddress(associatedTokenAccount(owner, tokenProgram, mint))).toBe(address)
      }),
      { numRuns: 30 },
    )
  })
})

describe('transactions', () => {
  test('what we write, others read as we meant it', () => {
    fc.assert(
      fc.property(plan, fc.array(signature, { maxLength: 12 }), (of, signatures) => {
        const message = encodeMessage(of)
        const read = getCompiledTransactionMessageDecoder().decode(message)
        if (read.version !== 'legacy' && read.version !== 0) throw new Error('another version')
        expect(read).toMatchObject({ version: of.version, lifetimeToken: encodeBase58(of.blockhash) })
        expect(read.staticAccounts[0]).toBe(formatAddress(of.feePayer))
        const named = read.instructions.map(({ programAddressIndex, accountIndices = [], data }) => ({
          program: read.staticAccounts[programAddressIndex],
          accounts: accountIndices.map((index) => read.staticAccounts[index]),
          data: new Uint8Array(data ?? []),
        }))
        expect(named).toEqual(
          of.instructions.map(({ program, accounts, data }) => ({
            program: formatAddress(program),
            accounts: accounts.map((account) => formatAddress(account.key)),
            data,
          })),
        )
        const count = read.header.numSignerAccounts
        const slots = Array.from({ length: count }, (_, at) => signatures[at])
        const wire = encodeTransaction(slots, message)
        if (wire.length > 1232) return
        const decoded = getTransactionDecoder().decode(wire)
        expect(new Uint8Array(decoded.messageBytes)).toEqual(message)
      }),
      { numRuns: 200 },
    )
  })

  test('what others write, we read as they meant it, and what they read of ours we read too', () => {
    fc.assert(
      fc.property(plan, (of) => {
        const transaction = compileTransaction(
          pipe(
            createTransactionMessage({ version: of.version }),
            (message) => setTransactionMessageFeePayer(addressOf(of.feePayer), message),
            (message) =>
              setTransactionMessageLifetimeUsingBlockhash(
                { blockhash: blockhash(encodeBase58(of.blockhash)), lastValidBlockHeight: 0n },
                message,
              ),
            (message) =>
              appendTransactionMessageInstructions(
                of.instructions.map(({ program, accounts, data }) => ({
                  programAddress: addressOf(program),
                  accounts: accounts.map(({ key: account, signer, writable }) => ({
                    address: addressOf(account),
                    role: roleOf(signer, writable),
                  })),
                  data,
                })),
                message,
              ),
          ),
        )
        const wire = new Uint8Array(getTransactionEncoder().encode(transaction))
        const read = decodeTransaction(wire)
        if (wire.length > 1232) {
          expect(read).toBe('malformed')
          return
        }
        if (typeof read === 'string') throw new Error(read)
        const { message } = read
        expect({ version: message.version, blockhash: message.blockhash, feePayer: message.keys[0] }).toEqual({
          version: of.version,
          blockhash: of.blockhash,
          feePayer: of.feePayer,
        })
        expect(
          message.instructions.map(({ program, accounts, data }) => ({
            program: message.keys[program],
            accounts: [...accounts].map((index) => message.keys[index]),
            data,
          })),
        ).toEqual(
          of.instructions.map(({ program, accounts, data }) => ({
            program,
            accounts: accounts.map((account) => account.key),
            data,
          })),
        )
        expect(encodeTransaction(read.signatures, message.bytes)).toEqual(wire)
      }),
      { numRuns: 200 },
    )
  })

  const wire = plan.map((of) => {
    const message = encodeMessage(of)
    const signers = message[of.version === 0 ? 1 : 0] ?? 0
    return encodeTransaction(Array.from({ length: signers }), message)
  })

  test('SVM-EXACT-026 a part of a transaction is none, and neither is more than one', () => {
    fc.assert(
      fc.property(
        wire,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        anyBytes,
        (whole, share, more) => {
          expect(typeof decodeTransaction(whole.subarray(0, Math.floor(share * whole.length)))).toBe('string')
          if (more.length > 0) expect(decodeTransaction(Uint8Array.of(...whole, ...more))).toBe('malformed')
        },
      ),
    )
  })

  test('SVM-EXACT-026 whatever the bytes are, they are read or not, and what is read is written as it was', () => {
    const spoilt = fc
      .tuple(wire, fc.array(fc.tuple(fc.nat(1231), fc.nat(255)), { maxLength: 4 }))
      .map(([whole, changes]) => {
        const copy = Uint8Array.from(whole)
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value
        return copy
      })
    fc.assert(
      fc.property(fc.oneof(spoilt, fc.uint8Array({ maxLength: 1300 })), (data) => {
        const read = decodeTransaction(data)
        if (typeof read === 'string') return
        expect(encodeTransaction(read.signatures, read.message.bytes)).toEqual(data)
        expect(namesOnlyWhatItHas(read)).toBe(true)
        expect(() => getTransactionDecoder().decode(data)).not.toThrow()
      }),
      { numRuns: 1_000 },
    )
  })

  test('SVM-EXACT-027 other versions are told apart from damage', () => {
    const [legacy, newer] = (['legacy', 0] as const).map((version) =>
      encodeTransaction(
        [undefined],
        encodeMessage({ feePayer: programs.memo, blockhash: programs.token, instructions: [], version }),
      ),
    )
    expect([legacy, newer].map((each) => (each ? typeof decodeTransaction(each) : ''))).toEqual(['object', 'object'])
    const another = Uint8Array.from(newer ?? [])
    another[65] = 0x81
    expect(decodeTransaction(another)).toBe('unsupported_version')
    expect(decodeTransaction(Uint8Array.of(0x81, 1, 0, 0))).toBe('unsupported_version')
  })
})

function namesOnlyWhatItHas({ message: { keys, instructions, lookups } }: Transaction): boolean {
  const all = lookups.reduce((sum, { writable, readonly }) => sum + writable.length + readonly.length, keys.length)
  return instructions.every(
    ({ program, accounts }) => program < keys.length && accounts.every((account) => account < all),
  )
}

function addressOf(of: Uint8Array): Address {
  return getAddressDecoder().decode(of)
}

function roleOf(signer: boolean, writable: boolean): AccountRole {
  if (signer) return writable ? AccountRole.WRITABLE_SIGNER : AccountRole.READONLY_SIGNER
  return writable ? AccountRole.WRITABLE : AccountRole.READONLY
}
