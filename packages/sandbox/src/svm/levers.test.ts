import { AccountRole, address, generateKeyPairSigner, getAddressEncoder, type Instruction } from '@solana/kit'
import { getCreateAccountInstruction } from '@solana-program/system'
import { getInitializeMintInstruction, getTransferInstruction } from '@solana-program/token'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memo, memoProgram, signed, tokenAccountOf, transferUsdc, useSvm } from '../../test/svm-kit.js'

const on = useSvm({ rpcUrl: false, tick: 'off' })
const confirmed = { commitment: 'confirmed' } as const
const skipPreflight = { encoding: 'base64', skipPreflight: true } as const
const seller = () => address(on.chain.account('seller').address)
const token2022 = address('TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb')

const statusOf = async (signature: string) => (await on.call('getSignatureStatuses', [signature])).value[0]

describe('fund', () => {
  test('adds up, and makes the token account', async () => {
    const { address: owner } = await generateKeyPairSigner()
    expect(await on.chain.balance(owner)).toBe(0n)
    await on.chain.fund(owner, 5n)
    await on.chain.fund(owner, 7n)
    expect(await on.chain.balance(owner)).toBe(12n)
    expect(
      (await on.call('getTokenAccountBalance', await tokenAccountOf(owner), { commitment: 'finalized' })).value.amount,
    ).toBe('12')
  })

  test('works for Token-2022 mints with extensions', async () => {
    const mint = await feeMint()
    const owner = await on.newcomer()
    await on.chain.fund(owner.address, 1_000n, mint)
    expect(await on.chain.balance(owner.address, mint)).toBe(1_000n)
    const account = await tokenAccountOf(owner.address, mint, token2022)
    const { data } = (await on.call('getAccountInfo', account, { ...confirmed, encoding: 'jsonParsed' })).value
    expect(data).toMatchObject({
      program: 'spl-token-2022',
      parsed: {
        info: {
          extensions: [
            { extension: 'immutableOwner' },
            { extension: 'transferFeeAmount', state: { withheldAmount: 0 } },
          ],
        },
      },
    })
    const parsedMint = (await on.call('getAccountInfo', mint, { ...confirmed, encoding: 'jsonParsed' })).value.data
      .parsed
    expect(parsedMint.info).toMatchObject({
      supply: '1000',
      extensions: [
        {
          extension: 'transferFeeConfig',
          state: { newerTransferFee: { transferFeeBasisPoints: 1_000, maximumFee: 1_000_000 } },
        },
      ],
    })
  })

  test('a mint that is not there is a mistake', async () => {
    await expect(on.chain.fund(seller(), 1n, (await generateKeyPairSigner()).address)).rejects.toThrow(
      'There is no mint at',
    )
  })

  /** A mint that keeps a tenth of every transfer, made by the program itself. */
  async function feeMint() {
    const [payer, mint] = [await on.newcomer(), await generateKeyPairSigner()]
    const space = 166 + 4 + 108
    // TransferFeeExtension, InitializeTransferFeeConfig, no authorities, 1,000 basis points, at most 1,000,000.
    const config = Buffer.from([26, 0, 0, 0, 0xe8, 0x03, 0x40, 0x42, 0x0f, 0, 0, 0, 0, 0])
    await on.run(payer, [
      getCreateAccountInstruction({ payer, newAccount: mint, lamports: 10_000_000n, space, programAddress: token2022 }),
      { programAddress: token2022, accounts: [{ address: mint.address, role: AccountRole.WRITABLE }], data: config },
      getInitializeMintInstruction(
        { mint: mint.address, decimals: 6, mintAuthority: payer.address },
        { programAddress: token2022 },
      ),
    ])
    return mint.address
  }
})

test('expired blockhashes, warped time: clock and slots move together', async () => {
  const time = async () => {
    const data = (await on.chain.getAccount('SysvarC1ock11111111111111111111111111111111'))?.data
    return Number(Buffer.from(data ?? []).readBigInt64LE(32))
  }
  const [slot, before] = [await on.chain.slot(), await time()]
  await on.chain.warp(3_600)
  expect((await on.chain.slot()) - slot).toBe(9_000n)
  expect((await time()) - before).toBeGreaterThanOrEqual(3_600)
  await on.run(await on.newcomer(), [memo('after')])
})

describe('intercept', () => {
  const payment = async () => {
    const payer = await on.newcomer(5n)
    const transaction = await on.sign(payer, [await transferUsdc(payer, seller(), 5n)])
    const send = () => on.rpc.sendTransaction(transaction.wire, skipPreflight).send()
    return { payer, send, ...transaction }
  }

  test('drops what it is told to: accepted, and never seen', async () => {
    const { payer, send, signature } = await payment()
    const heal = on.chain.intercept(({ accounts }) => (accounts[0] === payer.address ? 'drop' : undefined))
    expect(await send()).toBe(signature)
    await on.chain.step(10)
    expect([await statusOf(signature), await on.chain.balance(payer.address)]).toEqual([null, 5n])
    heal()
    await send()
    expect([await statusOf(signature), await on.chain.balance(payer.address)]).toMatchObject([{ err: null }, 0n])
  })

  test('delays by slots', async () => {
    const { send, signature } = await payment()
    const heal = on.chain.intercept(() => ({ afterSlots: 3 }))
    await send()
    heal()
    await on.chain.step(2)
    expect(await statusOf(signature)).toBeNull()
    await on.chain.step(1)
    expect(await statusOf(signature)).toMatchObject({ err: null, slot: Number(await on.chain.slot()) })
  })

  test('what comes after its blockhash does not land', async () => {
    const { send, signature, payer } = await payment()
    const heal = on.chain.intercept(() => ({ afterSlots: 151 }))
    await send()
    heal()
    await on.chain.step(200)
    expect([await statusOf(signature), await on.chain.balance(payer.address)]).toEqual([null, 5n])
  })

  test('two sent before either lands: one does', async () => {
    const { send, signature, payer } = await payment()
    const heal = on.chain.intercept(() => ({ afterSlots: 1 }))
    await send()
    await send()
    heal()
    await on.chain.step()
    expect([await statusOf(signature), await on.chain.balance(payer.address)]).toMatchObject([{ err: null }, 0n])
    expect(await on.call('getSignaturesForAddress', payer.address, confirmed)).toHaveLength(2)
  })

  test('sees the bytes, and the newest rule decides', async () => {
    const { send, signature, wire } = await payment()
    const seen: unknown[] = []
    const heals = [
      on.chain.intercept(() => 'drop'),
      on.chain.intercept((transaction) => {
        seen.push({ signature: transaction.signature, wire: Buffer.from(transaction.wire).toString('base64') })
        return 'land'
      }),
    ]
    await send()
    for (const heal of heals) heal()
    expect(seen).toEqual([{ signature, wire }])
    expect(await statusOf(signature)).toMatchObject({ err: null })
  })
})

test('freeze: nothing lands and no block comes, but nodes answer; then all lands', async () => {
  await on.chain.setTick(10)
  const payer = await on.newcomer(5n)
  const { wire, signature } = await on.sign(payer, [await transferUsdc(payer, seller(), 5n)])
  const thaw = on.chain.freeze()
  const slot = await on.chain.slot()
  expect(await on.rpc.sendTransaction(wire, { encoding: 'base64' }).send()).toBe(signature)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect([await statusOf(signature), await on.chain.slot(), await on.chain.balance(payer.address)]).toEqual([
    null,
    slot,
    5n,
  ])
  thaw()
  thaw()
  expect([await statusOf(signature), await on.chain.balance(payer.address)]).toMatchObject([{ err: null }, 0n])
  await on.chain.setTick('off')
})

test('setAccount writes accounts at every commitment: a token account that is frozen pays nothing', async () => {
  const payer = await on.newcomer(5n)
  const where = await tokenAccountOf(payer.address)
  const state = await on.chain.getAccount(where)
  const data = Buffer.from(state!.data!)
  data[108] = 2
  await on.chain.setAccount(where, { ...state!, data })
  expect((await on.call('getAccountInfo', where, { encoding: 'jsonParsed' })).value.data.parsed.info.state).toBe(
    'frozen',
  )
  const { wire } = await on.sign(payer, [await transferUsdc(payer, seller(), 1n)])
  expect((await on.call('simulateTransaction', wire, { encoding: 'base64', ...confirmed })).value.err).toEqual({
    InstructionError: [0, { Custom: 17 }],
  })
  await on.chain.setAccount(where, undefined)
  expect(await on.chain.getAccount(where)).toBeUndefined()
  await expect(on.chain.setAccount('nowhere', undefined)).rejects.toThrow('is not a Solana address')
})

test('addProgram: any program under any address, here the memo program as Lighthouse', async () => {
  const lighthouse = address('L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95')
  const elf = (await on.chain.getAccount(memoProgram))?.data
  await on.chain.addProgram(lighthouse, elf ?? new Uint8Array())
  const signature = await on.run(await on.newcomer(), [{ programAddress: lighthouse, data: Buffer.from('assert') }])
  expect(await statusOf(signature)).toMatchObject({ err: null })
})

test('lookup tables are looked up', async () => {
  const [payer, table] = [await on.newcomer(5n), await generateKeyPairSigner()]
  const addresses = [await tokenAccountOf(seller()), address(on.chain.usdc)]
  const header = Buffer.alloc(56)
  header.writeUInt32LE(1, 0)
  header.fill(0xff, 4, 12)
  const data = Buffer.concat([header, ...addresses.map((each) => Buffer.from(getAddressEncoder().encode(each)))])
  await on.chain.setAccount(table.address, {
    lamports: 10_000_000n,
    owner: 'AddressLookupTab1e1111111111111111111111111',
    data,
  })
  const plain = getTransferInstruction({
    source: await tokenAccountOf(payer.address),
    destination: addresses[0]!,
    authority: payer,
    amount: 2n,
  })
  const looked: Instruction = {
    ...plain,
    accounts: plain.accounts.map((account) =>
      account.address === addresses[0]
        ? { address: account.address, role: AccountRole.WRITABLE, lookupTableAddress: table.address, addressIndex: 0 }
        : account,
    ) as never,
  }
  const signature = await on.run(payer, [looked])
  const { transaction, meta } = await on.call('getTransaction', signature, {
    ...confirmed,
    maxSupportedTransactionVersion: 0,
    encoding: 'jsonParsed',
  })
  expect(transaction.message).toMatchObject({
    accountKeys: expect.arrayContaining([
      { pubkey: addresses[0], signer: false, writable: true, source: 'lookupTable' },
    ]),
    addressTableLookups: [{ accountKey: table.address, writableIndexes: [0], readonlyIndexes: [] }],
    instructions: [{ parsed: { type: 'transfer', info: { destination: addresses[0], amount: '2' } } }],
  })
  expect(meta.postTokenBalances).toContainEqual(
    expect.objectContaining({ owner: seller(), accountIndex: transaction.message.accountKeys.length - 1 }),
  )

  await on.chain.setAccount(table.address, undefined)
  const { wire } = await on.sign(payer, [looked])
  expect(await on.call('sendTransaction', wire, skipPreflight)).toEqual({
    error: {
      code: -32602,
      message: "invalid transaction: Transaction loads an address table account that doesn't exist",
    },
  })
})

test('a durable nonce outlives blockhashes, and is used once', async () => {
  const [payer, nonce] = [await on.newcomer(), await generateKeyPairSigner()]
  const value = new Uint8Array(32).fill(7)
  const data = Buffer.alloc(80)
  data.writeUInt32LE(1, 0)
  data.writeUInt32LE(1, 4)
  data.set(Buffer.from(getAddressEncoder().encode(payer.address)), 8)
  data.set(value, 40)
  data.writeBigUInt64LE(5_000n, 72)
  const system = address('11111111111111111111111111111111')
  await on.chain.setAccount(nonce.address, { lamports: 2_000_000n, owner: system, data })
  const advance: Instruction = {
    programAddress: system,
    accounts: [
      { address: nonce.address, role: AccountRole.WRITABLE },
      { address: address('SysvarRecentB1ockHashes11111111111111111111'), role: AccountRole.READONLY },
      { address: payer.address, role: AccountRole.READONLY_SIGNER },
    ],
    data: Buffer.from([4, 0, 0, 0]),
  }
  const lifetime = { blockhash: 'US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx' as never, lastValidBlockHeight: 0n }
  const { wire, signature } = await signed(payer, [advance, memo('any time')], lifetime)
  await on.chain.step(500)
  await on.rpc.sendTransaction(wire, { encoding: 'base64' }).send()
  expect(await statusOf(signature)).toMatchObject({ err: null })
  expect(
    await on.call('sendTransaction', wire, { encoding: 'base64', preflightCommitment: 'confirmed' }),
  ).toMatchObject({ error: { data: { err: 'BlockhashNotFound' } } })
})

describe('snapshot', () => {
  let revert: () => Promise<void>
  let slot: bigint
  beforeAll(async () => {
    slot = await on.chain.slot()
    revert = await on.chain.snapshot()
  })
  afterAll(() => revert())

  test('brings back accounts, history and slot, as often as one likes', async () => {
    for (let round = 0; round < 3; round++) {
      const payer = await on.newcomer(5n)
      const lifetime = await on.blockhash()
      const { wire, signature } = await on.sign(payer, [await transferUsdc(payer, seller(), 5n)])
      const before = await on.chain.balance(seller())
      await on.rpc.sendTransaction(wire, { encoding: 'base64' }).send()
      await on.chain.step(5)
      const later = await on.blockhash()
      await revert()
      expect({
        slot: await on.chain.slot(),
        seller: await on.chain.balance(seller()),
        payer: await on.chain.balance(payer.address),
        status: await statusOf(signature),
        old: (await on.call('isBlockhashValid', lifetime.blockhash, confirmed)).value,
        new: (await on.call('isBlockhashValid', later.blockhash, confirmed)).value,
      }).toEqual({ slot, seller: before, payer: 0n, status: null, old: true, new: false })
    }
  })
})
