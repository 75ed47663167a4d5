import { address, generateKeyPairSigner } from '@solana/kit'
import { expect, test } from 'vitest'
import { tokenAccountOf, usdc, useSvm } from '../../../../test/svm-kit.js'

const on = useSvm()
const processed = { commitment: 'processed' } as const

test('the balance of a token account', async () => {
  const owner = await on.newcomer(1_500_000n)
  expect((await on.rpc.getTokenAccountBalance(await tokenAccountOf(owner.address), processed).send()).value).toEqual({
    amount: '1500000',
    decimals: 6,
    uiAmount: 1.5,
    uiAmountString: '1.5',
  })
})

test.each([
  ['nobody', async () => (await generateKeyPairSigner()).address, 'Invalid param: could not find account'],
  ['a wallet', async () => on.chain.account('payer').address, 'Invalid param: not a Token account'],
  ['a mint', async () => usdc, 'Invalid param: not a Token account'],
])('%s has no token balance', async (_, of, message) => {
  expect(await on.call('getTokenAccountBalance', await of(), processed)).toEqual({ error: { code: -32602, message } })
})

test('the supply grows with what is minted', async () => {
  const supply = async () => BigInt((await on.rpc.getTokenSupply(usdc, processed).send()).value.amount)
  const before = await supply()
  await on.chain.fund((await generateKeyPairSigner()).address, 7n)
  expect(await supply()).toBe(before + 7n)
})

test('an owner’s token accounts, by mint and by program', async () => {
  const owner = await on.newcomer(2_000_000n)
  const account = await tokenAccountOf(owner.address)
  const expected = [
    { pubkey: account, account: expect.objectContaining({ data: expect.objectContaining({ program: 'spl-token' }) }) },
  ]
  const config = { ...processed, encoding: 'jsonParsed' }
  const ask = async (filter: object) => (await on.call('getTokenAccountsByOwner', owner.address, filter, config)).value
  expect(await ask({ mint: usdc })).toEqual(expected)
  expect(await ask({ programId: 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA' })).toEqual(expected)
  expect(await ask({ programId: 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb' })).toEqual([])
})

test('a mint or program that is none is an invalid parameter', async () => {
  const owner = address(on.chain.account('payer').address)
  const ask = (filter: object) => on.call('getTokenAccountsByOwner', owner, filter)
  expect(await ask({ mint: (await generateKeyPairSigner()).address })).toEqual({
    error: { code: -32602, message: 'Invalid param: could not find mint' },
  })
  expect(await ask({ programId: '11111111111111111111111111111111' })).toEqual({
    error: { code: -32602, message: 'Invalid param: unrecognized Token program id' },
  })
  expect(await ask({})).toMatchObject({ error: { code: -32602 } })
})
