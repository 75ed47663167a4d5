import { address, generateKeyPairSigner, getAddressEncoder } from '@solana/kit'
import { describe, expect, test } from 'vitest'
import { testHere, tokenAccountOf, transferUsdc, usdc, useSvm } from '../../../../test/svm-kit.js'

const on = useSvm()
const processed = { commitment: 'processed' } as const
const token = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA'
const lookupTableProgram = 'AddressLookupTab1e1111111111111111111111111'

test('getBalance: lamports, zero for nobody', async () => {
  const nobody = await generateKeyPairSigner()
  expect((await on.rpc.getBalance(nobody.address).send()).value).toBe(0n)
  expect((await on.rpc.getBalance((await on.newcomer()).address, processed).send()).value).toBe(1_000_000_000n)
})

describe('getAccountInfo', () => {
  const ask = (address: string, config: object) => on.call('getAccountInfo', address, { ...processed, ...config })

  test('the mint, as clients read it', async () => {
    const { context, value } = await ask(usdc, { encoding: 'base64' })
    expect(context).toEqual({ apiVersion: expect.any(String), slot: expect.any(Number) })
    const { data, ...rest } = value
    expect(rest).toEqual({
      lamports: 1_461_600,
      owner: token,
      executable: false,
      rentEpoch: expect.any(Number),
      space: 82,
    })
    expect([data[1], Buffer.from(data[0], 'base64')[44]]).toEqual(['base64', 6])
  })

  test('the mint, parsed', async () => {
    const { value } = await ask(usdc, { encoding: 'jsonParsed' })
    const issuer = on.chain.account('issuer').address
    expect(value.data).toEqual({
      program: 'spl-token',
      parsed: {
        type: 'mint',
        info: {
          mintAuthority: issuer,
          freezeAuthority: issuer,
          decimals: 6,
          isInitialized: true,
          supply: expect.any(String),
        },
      },
      space: 82,
    })
  })

  test('a token account, parsed', async () => {
    const owner = await on.newcomer(12_340_000n)
    const { value } = await ask(await tokenAccountOf(owner.address), { encoding: 'jsonParsed' })
    expect(value).toMatchObject({
      lamports: 2_039_280,
      data: {
        program: 'spl-token',
        parsed: {
          type: 'account',
          info: {
            mint: usdc,
            owner: owner.address,
            tokenAmount: { amount: '12340000', decimals: 6, uiAmount: 12.34, uiAmountString: '12.34' },
            state: 'initialized',
            isNative: false,
          },
        },
        space: 165,
      },
    })
  })

  test('nobody is null', async () => {
    expect((await ask((await generateKeyPairSigner()).address, { encoding: 'base64' })).value).toBeNull()
  })

  test('what cannot be parsed comes as base64', async () => {
    expect((await ask(on.chain.account('payer').address, { encoding: 'jsonParsed' })).value.data).toEqual([
      '',
      'base64',
    ])
  })

  test('base58 is for little data, and the default', async () => {
    const tooLong = {
      code: -32600,
      message: 'Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.',
    }
    const account = on.chain.account('payer').usdcAccount
    expect(await ask(account, {})).toEqual({ error: tooLong })
    expect(await ask(account, { encoding: 'base58' })).toEqual({ error: tooLong })
    const dataSlice = { offset: 0, length: 32 }
    expect((await ask(account, { encoding: 'base58', dataSlice })).value.data).toEqual([usdc, 'base58'])
    expect((await ask(account, { dataSlice })).value.data).toBe(usdc)
    expect((await ask(account, { encoding: 'base64', dataSlice: { offset: 160, length: 99 } })).value.data).toEqual([
      Buffer.alloc(5).toString('base64'),
      'base64',
    ])
  })

  test('text that is no address is an invalid parameter', async () => {
    expect(await ask('0x00', {})).toEqual({ error: { code: -32602, message: 'Invalid param: Invalid' } })
    expect(await ask('abc', {})).toEqual({ error: { code: -32602, message: 'Invalid param: WrongSize' } })
    expect(await on.call('getAccountInfo')).toMatchObject({ error: { code: -32602 } })
  })

  test('the clock runs', async () => {
    const clock = async () => {
      const { value } = await ask('SysvarC1ock11111111111111111111111111111111', { encoding: 'base64' })
      const data = Buffer.from(value.data[0], 'base64')
      return { slot: data.readBigUInt64LE(0), time: Number(data.readBigInt64LE(32)) }
    }
    const before = await clock()
    await on.chain.step(5)
    const after = await clock()
    expect(after.slot).toBeGreaterThanOrEqual(before.slot + 5n)
    expect(Math.abs(after.time - Date.now() / 1_000)).toBeLessThan(60)
  })
})

testHere('lookup tables, parsed', async () => {
  const [table, authority] = [await generateKeyPairSigner(), on.chain.account('issuer').address]
  const addresses = [on.chain.account('payer').address, on.chain.account('seller').address]
  await on.chain.setAccount(table.address, {
    lamports: 10_000_000n,
    owner: lookupTableProgram,
    data: lookupTable(addresses, authority),
  })
  const { value } = await on.rpc
    .getMultipleAccounts([table.address], { encoding: 'jsonParsed', commitment: 'confirmed' })
    .send()
  expect(value[0]?.data).toEqual({
    program: 'address-lookup-table',
    parsed: {
      type: 'lookupTable',
      info: {
        addresses,
        authority,
        deactivationSlot: '18446744073709551615',
        lastExtendedSlot: '1',
        lastExtendedSlotStartIndex: 0,
      },
    },
    space: 56n + 64n,
  })
})

testHere('a mint with extensions that end early comes as base64', async () => {
  const { address: mint } = await generateKeyPairSigner()
  const data = Buffer.alloc(200)
  data[45] = 1
  data.set([1, 1, 0, 108], 165)
  await on.chain.setAccount(mint, {
    lamports: 10_000_000n,
    owner: 'TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb',
    data,
  })
  const { value } = await on.call('getAccountInfo', mint, { encoding: 'jsonParsed' })
  expect(value.data).toEqual([data.toString('base64'), 'base64'])
})

test('getMultipleAccounts keeps order and gaps', async () => {
  const nobody = await generateKeyPairSigner()
  const { value } = await on.rpc
    .getMultipleAccounts([usdc, nobody.address, address(on.chain.account('seller').usdcAccount)], {
      encoding: 'base64',
    })
    .send()
  expect(value.map((each) => each?.space)).toEqual([82n, undefined, 165n])
  expect(await on.call('getMultipleAccounts', new Array(101).fill(usdc))).toEqual({
    error: { code: -32602, message: 'Too many inputs provided; max 100' },
  })
})

test('getProgramAccounts filters by size and bytes', async () => {
  const owner = await on.newcomer(3n)
  const filters = [{ dataSize: 165 }, { memcmp: { offset: 32, bytes: owner.address, encoding: 'base58' } }]
  const found = await on.call('getProgramAccounts', token, { ...processed, encoding: 'base64', filters })
  expect(found.map(({ pubkey }: { pubkey: string }) => pubkey)).toEqual([await tokenAccountOf(owner.address)])
  const wrapped = await on.call('getProgramAccounts', token, {
    ...processed,
    encoding: 'base64',
    filters,
    withContext: true,
  })
  expect(wrapped).toEqual({ context: expect.anything(), value: found })
  expect(await on.call('getProgramAccounts', token, { filters: [{ size: 3 }] })).toMatchObject({
    error: { code: -32602 },
  })
})

test('getMinimumBalanceForRentExemption', async () => {
  expect(await on.rpc.getMinimumBalanceForRentExemption(165n).send()).toBe(2_039_280n)
  expect(await on.rpc.getMinimumBalanceForRentExemption(0n).send()).toBe(890_880n)
})

testHere('accounts are at finalized what they were 32 slots ago', async () => {
  const owner = await on.newcomer(9n)
  const account = await tokenAccountOf(owner.address)
  await on.chain.step(40)
  await on.run(owner, [await transferUsdc(owner, address(on.chain.account('seller').address), 4n)])
  const amountAt = async (commitment: 'confirmed' | 'finalized') =>
    (await on.rpc.getTokenAccountBalance(account, { commitment }).send()).value.amount
  expect([await amountAt('confirmed'), await amountAt('finalized')]).toEqual(['5', '9'])
  await on.chain.step(32)
  expect(await amountAt('finalized')).toBe('5')
})

function lookupTable(addresses: readonly string[], authority: string): Uint8Array {
  const bytes = (text: string) => Buffer.from(getAddressEncoder().encode(address(text)))
  const header = Buffer.alloc(56)
  header.writeUInt32LE(1, 0)
  header.fill(0xff, 4, 12)
  header.writeBigUInt64LE(1n, 12)
  header[21] = 1
  header.set(bytes(authority), 22)
  return Buffer.concat([header, ...addresses.map(bytes)])
}
