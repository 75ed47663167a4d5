import { address, generateKeyPairSigner, type Signature } from '@solana/kit'
import { getTransferSolInstruction } from '@solana-program/system'
import { getCreateAssociatedTokenIdempotentInstructionAsync } from '@solana-program/token'
import { describe, expect, test } from 'vitest'
import { memo, memoProgram, testHere, tokenAccountOf, transferUsdc, usdc, useSvm } from '../../../../test/svm-kit.js'

const on = useSvm()
const confirmed = { commitment: 'confirmed' } as const
const seller = () => address(on.chain.account('seller').address)
const token = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA'

async function payment(amount = 1n) {
  const payer = await on.newcomer(10n)
  return { payer, signature: await on.run(payer, [await transferUsdc(payer, seller(), amount), memo('order 7')]) }
}

describe('getSignatureStatuses', () => {
  const status = async (signature: Signature, searchTransactionHistory = false) =>
    (await on.rpc.getSignatureStatuses([signature], { searchTransactionHistory }).send()).value[0]

  testHere('a transaction is confirmed, and after 32 slots final', async () => {
    await on.chain.setTick('off')
    const { signature } = await payment()
    const slot = await on.chain.slot()
    const common = { slot, err: null, status: { Ok: null } }
    expect(await status(signature)).toEqual({ ...common, confirmations: 0n, confirmationStatus: 'confirmed' })
    await on.chain.step(31)
    expect(await status(signature)).toEqual({ ...common, confirmations: 31n, confirmationStatus: 'confirmed' })
    await on.chain.step(1)
    expect(await status(signature)).toEqual({ ...common, confirmations: null, confirmationStatus: 'finalized' })
    await on.chain.setTick(400)
  })

  testHere('old ones are found only by searching the history', async () => {
    const { signature } = await payment()
    await on.chain.step(301)
    expect(await status(signature)).toBeNull()
    expect(await status(signature, true)).toMatchObject({
      confirmationStatus: 'finalized',
      confirmations: null,
      err: null,
    })
  })

  test('unknown ones are null, in order', async () => {
    const { signature } = await payment()
    const unknown = '1'.repeat(64)
    expect((await on.call('getSignatureStatuses', [unknown, signature])).value).toEqual([
      null,
      expect.objectContaining({ err: null }),
    ])
    expect(await on.call('getSignatureStatuses', ['abc'])).toEqual({
      error: { code: -32602, message: 'Invalid param: WrongSize' },
    })
    expect(await on.call('getSignatureStatuses', new Array(257).fill(unknown))).toEqual({
      error: { code: -32602, message: 'Too many inputs provided; max 256' },
    })
  })
})

describe('getTransaction', () => {
  const ask = (signature: Signature, config: object = {}) =>
    on.call('getTransaction', signature, { ...confirmed, maxSupportedTransactionVersion: 0, ...config })

  test('tells what a payment moved', async () => {
    const { payer, signature } = await payment(4n)
    const { slot, blockTime, version, meta, transaction } = await ask(signature)
    const { accountKeys, instructions, header, recentBlockhash, addressTableLookups } = transaction.message
    expect({
      slot,
      blockTime,
      version,
      signatures: transaction.signatures,
      header,
      recentBlockhash,
      addressTableLookups,
    }).toEqual({
      slot: expect.any(Number),
      blockTime: expect.any(Number),
      version: 0,
      signatures: [signature],
      header: { numRequiredSignatures: 1, numReadonlySignedAccounts: 0, numReadonlyUnsignedAccounts: 3 },
      recentBlockhash: expect.any(String),
      addressTableLookups: [],
    })
    expect(instructions[1]).toMatchObject({ programIdIndex: accountKeys.indexOf(memoProgram), accounts: [] })
    expect(meta).toMatchObject({
      err: null,
      status: { Ok: null },
      fee: 5_000,
      rewards: [],
      innerInstructions: [],
      loadedAddresses: { writable: [], readonly: [] },
    })
    expect(meta.computeUnitsConsumed).toBeGreaterThan(0)
    expect(meta.logMessages.at(-1)).toBe(`Program ${memoProgram} success`)
    expect(meta.preBalances[0] - meta.postBalances[0]).toBe(5_000)

    const balanceOf = async (owner: typeof payer.address, amount: string) => ({
      accountIndex: accountKeys.indexOf(await tokenAccountOf(owner)),
      mint: usdc,
      owner,
      programId: token,
      uiTokenAmount: expect.objectContaining({ amount, decimals: 6 }),
    })
    expect(meta.preTokenBalances).toContainEqual(await balanceOf(payer.address, '10'))
    expect(meta.postTokenBalances).toContainEqual(await balanceOf(payer.address, '6'))
    const gain = (list: Array<{ owner: string; uiTokenAmount: { amount: string } }>) =>
      BigInt(list.find(({ owner }) => owner === seller())?.uiTokenAmount.amount ?? 0)
    expect(gain(meta.postTokenBalances) - gain(meta.preTokenBalances)).toBe(4n)
  })

  test('parsed, it says what instructions mean and which accounts they touch', async () => {
    const { payer, signature } = await payment(3n)
    const { transaction, meta } = await ask(signature, { encoding: 'jsonParsed' })
    expect(meta.loadedAddresses).toBeUndefined()
    expect(transaction.message.accountKeys[0]).toEqual({
      pubkey: payer.address,
      signer: true,
      writable: true,
      source: 'transaction',
    })
    expect(transaction.message.accountKeys.find(({ pubkey }: { pubkey: string }) => pubkey === usdc)).toMatchObject({
      signer: false,
      writable: false,
    })
    const [transfer, note] = transaction.message.instructions
    expect(transfer).toMatchObject({
      program: 'spl-token',
      programId: token,
      parsed: {
        type: 'transferChecked',
        info: {
          authority: payer.address,
          source: await tokenAccountOf(payer.address),
          mint: usdc,
          destination: await tokenAccountOf(seller()),
          tokenAmount: { amount: '3', decimals: 6, uiAmount: 0.000003, uiAmountString: '0.000003' },
        },
      },
    })
    expect(note).toMatchObject({ program: 'spl-memo', programId: memoProgram, parsed: 'order 7' })
  })

  test('inner instructions, compiled and parsed', async () => {
    const [payer, wallet] = [await on.newcomer(), await generateKeyPairSigner()]
    const signature = await on.run(payer, [
      await getCreateAssociatedTokenIdempotentInstructionAsync({ payer, owner: wallet.address, mint: usdc }),
    ])
    const parsed = await ask(signature, { encoding: 'jsonParsed' })
    expect(parsed.transaction.message.instructions[0]).toMatchObject({
      program: 'spl-associated-token-account',
      parsed: { type: 'createIdempotent', info: { source: payer.address, wallet: wallet.address, mint: usdc } },
    })
    const [{ index, instructions }] = parsed.meta.innerInstructions
    expect(index).toBe(0)
    expect(instructions).toContainEqual({
      program: 'system',
      programId: '11111111111111111111111111111111',
      parsed: {
        type: 'createAccount',
        info: {
          source: payer.address,
          newAccount: await tokenAccountOf(wallet.address),
          lamports: 2_039_280,
          space: 165,
          owner: token,
        },
      },
      stackHeight: 2,
    })
    const compiled = await ask(signature)
    expect(compiled.meta.innerInstructions[0].instructions[0]).toEqual({
      programIdIndex: expect.any(Number),
      accounts: expect.any(Array),
      data: expect.any(String),
      stackHeight: 2,
    })
    expect(compiled.meta.postTokenBalances).toHaveLength(1)
    expect(compiled.meta.preTokenBalances).toEqual([])
  })

  test('one that failed says why', async () => {
    const payer = await on.newcomer(1n)
    const { wire, signature } = await on.sign(payer, [memo('first'), await transferUsdc(payer, seller(), 2n)])
    await on.landed(await on.rpc.sendTransaction(wire, { encoding: 'base64', skipPreflight: true }).send())
    const err = { InstructionError: [1, { Custom: 1 }] }
    const { meta } = await ask(signature)
    expect(meta).toMatchObject({ err, status: { Err: err }, fee: 5_000 })
    expect(meta.preTokenBalances).toEqual(meta.postTokenBalances)
  })

  test('bytes, as they were sent', async () => {
    const payer = await on.newcomer()
    const { wire, signature } = await on.sign(payer, [memo('bytes')])
    await on.landed(await on.rpc.sendTransaction(wire, { encoding: 'base64', preflightCommitment: 'confirmed' }).send())
    expect((await ask(signature, { encoding: 'base64' })).transaction).toEqual([wire, 'base64'])
    expect((await ask(signature, { encoding: 'base58' })).transaction).toEqual([expect.any(String), 'base58'])
  })

  test('versions are for clients that know them', async () => {
    const { signature } = await payment()
    expect(await on.call('getTransaction', signature, confirmed)).toEqual({
      error: {
        code: -32015,
        message: expect.stringContaining('Transaction version (0) is not supported by the requesting client.'),
      },
    })
    const legacy = await on.rpc.requestAirdrop(seller(), 1n as never).send()
    await on.landed(legacy)
    expect((await on.call('getTransaction', legacy, confirmed)).version).toBeUndefined()
    expect((await ask(legacy)).version).toBe('legacy')
  })

  test('unknown is null, and processed is not enough', async () => {
    expect(await ask('1'.repeat(64) as Signature)).toBeNull()
    const { signature } = await payment()
    expect(await ask(signature, { commitment: 'processed' })).toEqual({
      error: { code: -32602, message: 'Method does not support commitment below `confirmed`' },
    })
  })

  testHere('is final later', async () => {
    const { signature } = await payment()
    expect(await ask(signature, { commitment: 'finalized' })).toBeNull()
    await on.chain.step(32)
    expect(await ask(signature, { commitment: 'finalized' })).toMatchObject({ meta: { err: null } })
  })
})

test('getSignaturesForAddress: newest first, in pages, with memos', async () => {
  const payer = await on.newcomer(10n)
  const signatures: Signature[] = []
  for (const text of ['one', 'two', 'three'])
    signatures.unshift(await on.run(payer, [await transferUsdc(payer, seller(), 1n), memo(text)]))
  const ask = (config: object = {}) => on.call('getSignaturesForAddress', payer.address, { ...confirmed, ...config })
  const ids = async (config: object) => (await ask(config)).map(({ signature }: { signature: string }) => signature)
  const all = await ask()
  expect(all[0]).toMatchObject({
    signature: signatures[0],
    slot: expect.any(Number),
    err: null,
    memo: '[5] three',
    blockTime: expect.any(Number),
    confirmationStatus: expect.stringMatching(/^(confirmed|finalized)$/),
  })
  expect(all.length).toBeGreaterThan(3) // what funded it, too
  expect(await ids({ limit: 2 })).toEqual(signatures.slice(0, 2))
  expect(await ids({ before: signatures[0], limit: 1 })).toEqual([signatures[1]])
  expect(await ids({ until: signatures[1] })).toEqual([signatures[0]])
  expect(await ask({ limit: 1_001 })).toEqual({ error: { code: -32602, message: 'Invalid limit; max 1000' } })
})

test('plain transfers of SOL, parsed', async () => {
  const payer = await on.newcomer()
  const signature = await on.run(payer, [
    getTransferSolInstruction({ source: payer, destination: seller(), amount: 5n }),
  ])
  const { transaction } = await on.call('getTransaction', signature, {
    ...confirmed,
    maxSupportedTransactionVersion: 0,
    encoding: 'jsonParsed',
  })
  expect(transaction.message.instructions[0]).toMatchObject({
    program: 'system',
    parsed: { type: 'transfer', info: { source: payer.address, destination: seller(), lamports: 5 } },
  })
})
