import { createKeyPairSignerFromBytes, createSignableMessage, getBase58Encoder } from '@solana/kit'
import { describe, expect, test } from 'vitest'
import { BLOCKHASH, FEE_PAYER, PAYER, PAYER_KEY } from '../testing/payments.js'
import { keypairAccount, type SvmAccount, secretKeyAccount, signMessage } from './account.js'
import { addressBytes } from './wire/address.js'
import { memo } from './wire/instructions.js'
import { encodeMessage } from './wire/message.js'

const secretKey = new Uint8Array(getBase58Encoder().encode(PAYER_KEY))
const message = encodeMessage({
  feePayer: addressBytes(FEE_PAYER),
  blockhash: addressBytes(BLOCKHASH),
  instructions: [{ ...memo(new Uint8Array([97])), accounts: [{ key: addressBytes(PAYER), signer: true }] }],
})
const request = { message, signers: [FEE_PAYER, PAYER], blockhash: BLOCKHASH }
const kit = await createKeyPairSignerFromBytes(secretKey)
const [expected] = await kit.signMessages([createSignableMessage(message)])

describe('every account gives the same signature', () => {
  test.each<[string, SvmAccount]>([
    ['base58 of a secret key', secretKeyAccount(PAYER_KEY)],
    ['the bytes of a secret key', secretKeyAccount(secretKey)],
    ['a key pair of web3.js 1', keypairAccount({ publicKey: { toBytes: () => addressBytes(PAYER) }, secretKey })],
    ['a signer of kit', kit],
    [
      'one that signs transactions only',
      { address: PAYER, signTransactions: (of) => kit.signTransactions(of as never) },
    ],
    ['one that signs messages only', { address: PAYER, signMessages: (of) => kit.signMessages(of as never) }],
    ['a key elsewhere', { address: PAYER, sign: async (bytes) => secretKeyAccount(PAYER_KEY).sign(bytes) }],
  ])('%s', async (_name, account) => {
    expect(account.address).toBe(PAYER)
    expect(await signMessage(account, request)).toEqual(expected?.[kit.address])
  })
})

test('a wallet that answers anything else is refused', async () => {
  const silent: SvmAccount = { address: PAYER, signMessages: async () => [{}] }
  const short: SvmAccount = { address: PAYER, sign: async () => new Uint8Array(63) }
  for (const account of [silent, short]) await expect(signMessage(account, request)).rejects.toThrow(TypeError)
})

test('a key is not quoted when it is none', () => {
  for (const bad of ['', 'hello', PAYER, `${PAYER_KEY}1`]) {
    expect(() => secretKeyAccount(bad)).toThrow('not a Solana secret key')
  }
  expect(() => keypairAccount({ publicKey: { toBytes: () => addressBytes(FEE_PAYER) }, secretKey })).toThrow(RangeError)
})
