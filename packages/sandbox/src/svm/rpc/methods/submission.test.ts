import {
  AccountRole,
  address,
  type Blockhash,
  generateKeyPairSigner,
  getBase58Decoder,
  getTransactionEncoder,
  lamports,
  type Signature,
} from '@solana/kit'
import { getTransferSolInstruction } from '@solana-program/system'
import { getCreateAssociatedTokenIdempotentInstructionAsync } from '@solana-program/token'
import { describe, expect, test } from 'vitest'
import { memo, tokenAccountOf, transferUsdc, usdc, useSvm } from '../../../../test/svm-kit.js'

const on = useSvm()
const base64 = { encoding: 'base64' } as const
const confirmed = { commitment: 'confirmed' } as const
const strangeHash = 'US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx' as Blockhash

/** What a node says when it has tried a transaction and will not send it. */
const refused = (message: string, data: Record<string, unknown>) => ({
  error: { code: -32002, message: `Transaction simulation failed: ${message}`, data: expect.objectContaining(data) },
})

describe('sendTransaction', () => {
  test('pays', async () => {
    const [payer, shop] = [await on.newcomer(5_000_000n), await on.newcomer(1n)]
    const signature = await on.run(payer, [await transferUsdc(payer, shop.address, 1_250_000n), memo('order 7')])
    expect({
      paid: await on.chain.balance(shop.address),
      left: await on.chain.balance(payer.address),
      fee: 1_000_000_000n - (await on.chain.lamports(payer.address)),
      status: (await on.rpc.getSignatureStatuses([signature]).send()).value,
    }).toEqual({
      paid: 1_250_001n,
      left: 3_750_000n,
      fee: 5_000n,
      status: [expect.objectContaining({ slot: expect.any(BigInt), err: null, status: { Ok: null } })],
    })
  })

  test('takes base58, its default', async () => {
    const payer = await on.newcomer()
    const { transaction, signature } = await on.sign(payer, [memo('base58')])
    expect(
      await on.call('sendTransaction', getBase58Decoder().decode(getTransactionEncoder().encode(transaction)), {
        preflightCommitment: 'confirmed',
      }),
    ).toBe(signature)
  })

  test('a second time is refused, and does nothing without preflight', async () => {
    const payer = await on.newcomer(10n)
    const { wire, signature } = await on.sign(payer, [
      await transferUsdc(payer, address(on.chain.account('seller').address), 1n),
    ])
    await on.landed(await on.rpc.sendTransaction(wire, { ...base64, preflightCommitment: 'confirmed' }).send())
    expect(await on.call('sendTransaction', wire, { ...base64, preflightCommitment: 'confirmed' })).toEqual(
      refused('This transaction has already been processed', { err: 'AlreadyProcessed', logs: [] }),
    )
    expect(await on.call('sendTransaction', wire, { ...base64, skipPreflight: true })).toBe(signature)
    await on.chain.step()
    expect(await on.chain.balance(payer.address)).toBe(9n)
  })

  const failures = {
    'too few tokens': async () => {
      const payer = await on.newcomer(1n)
      return [payer, [await transferUsdc(payer, address(on.chain.account('seller').address), 2n)]] as const
    },
    'no account to pay to': async () => {
      const [payer, nobody] = [await on.newcomer(1n), await generateKeyPairSigner()]
      return [payer, [await transferUsdc(payer, nobody.address, 1n)]] as const
    },
  }
  test.each([
    [
      'too few tokens',
      'Error processing Instruction 0: custom program error: 0x1',
      { InstructionError: [0, { Custom: 1 }] },
    ],
    [
      'no account to pay to',
      'Error processing Instruction 0: invalid account data for instruction',
      { InstructionError: [0, 'InvalidAccountData'] },
    ],
  ] as const)(
    '%s: refused by preflight; without it the transaction lands, fails and costs its fee',
    async (name, text, err) => {
      const [payer, instructions] = await failures[name]()
      const { wire, signature } = await on.sign(payer, instructions)
      expect(await on.call('sendTransaction', wire, { ...base64, preflightCommitment: 'confirmed' })).toEqual(
        refused(text, {
          err,
          accounts: null,
          innerInstructions: null,
          returnData: null,
          unitsConsumed: expect.any(Number),
          logs: expect.arrayContaining([expect.stringContaining('failed')]),
        }),
      )
      expect(await on.call('sendTransaction', wire, { ...base64, skipPreflight: true })).toBe(signature)
      await on.landed(signature)
      const [status] = (await on.call('getSignatureStatuses', [signature])).value
      expect({ err: status.err, status: status.status }).toEqual({ err, status: { Err: err } })
      expect(await on.chain.lamports(payer.address)).toBe(1_000_000_000n - 5_000n)
    },
  )

  const doomed = {
    'a blockhash that is none': async () => {
      const payer = await on.newcomer()
      return on.sign(payer, [memo('late')], { blockhash: strangeHash, lastValidBlockHeight: 0n })
    },
    'a signer without SOL': async () => on.sign(await generateKeyPairSigner(), [memo('poor')]),
    'a signature that is wrong': async () => {
      const signed = await on.sign(await on.newcomer(), [memo('forged')])
      const bytes = Buffer.from(signed.wire, 'base64')
      bytes[5]! ^= 1
      const signature = getBase58Decoder().decode(bytes.subarray(1, 65)) as Signature
      return { wire: bytes.toString('base64'), signature }
    },
  }
  test.each([
    ['a blockhash that is none', 'Blockhash not found', 'BlockhashNotFound'],
    ['a signer without SOL', 'Attempt to debit an account but found no record of a prior credit.', 'AccountNotFound'],
    ['a signature that is wrong', 'Transaction did not pass signature verification', 'SignatureFailure'],
  ] as const)(
    '%s: refused by preflight; without it the transaction is accepted and never seen',
    async (name, text, err) => {
      const { wire, signature } = await doomed[name]()
      expect(await on.call('sendTransaction', wire, { ...base64, preflightCommitment: 'confirmed' })).toEqual(
        refused(text, { err, logs: [], unitsConsumed: 0 }),
      )
      expect(await on.call('sendTransaction', wire, { ...base64, skipPreflight: true })).toBe(signature)
      await on.chain.step(3)
      expect((await on.call('getSignatureStatuses', [signature], { searchTransactionHistory: true })).value).toEqual([
        null,
      ])
    },
  )

  test('preflight is done at `finalized` unless told, where a new blockhash is not known yet', async () => {
    const { wire } = await on.sign(await on.newcomer(), [memo('hasty')])
    expect(await on.call('sendTransaction', wire, base64)).toEqual(
      refused('Blockhash not found', { err: 'BlockhashNotFound' }),
    )
  })

  test('kit makes typed errors of refusals', async () => {
    const { wire } = await on.sign(await on.newcomer(), [memo('late')], {
      blockhash: strangeHash,
      lastValidBlockHeight: 0n,
    })
    await expect(on.rpc.sendTransaction(wire, base64).send()).rejects.toMatchObject({
      name: 'SolanaError',
      context: { __code: -32002, unitsConsumed: 0n, logs: [] },
      cause: { name: 'SolanaError', context: { __code: 7050008 } },
    })
  })

  test.each([
    ['text that is no base64', ['%%%', base64]],
    ['too few bytes', ['AQID', base64]],
    ['a length prefix that is not the shortest', [Buffer.from([0x80, 0x00, 0, 0, 0]).toString('base64'), base64]],
    [
      'a message of a later version',
      [Buffer.from([1, ...new Array(64).fill(0), 0x82, 1, 0, 0]).toString('base64'), base64],
    ],
    ['too many bytes', [Buffer.alloc(1_300).toString('base64'), base64]],
    ['an encoding that is none', ['AQID', { encoding: 'hex' }]],
    ['an encoding of answers', ['AQID', { encoding: 'jsonParsed' }]],
    ['nothing', []],
    ['a number', [7]],
  ])('%s is an invalid parameter', async (_, params) => {
    expect(await on.call('sendTransaction', ...params)).toEqual({
      error: { code: -32602, message: expect.any(String) },
    })
  })

  test('a transaction that names accounts it does not have is an invalid parameter, with or without preflight', async () => {
    const { wire } = await on.sign(await on.newcomer(), [memo('x')])
    const bytes = Buffer.from(wire, 'base64')
    bytes[65 + 1] = 9 // requires nine signatures
    for (const skipPreflight of [true, false]) {
      expect(await on.call('sendTransaction', bytes.toString('base64'), { ...base64, skipPreflight })).toEqual({
        error: {
          code: -32602,
          message: 'invalid transaction: Transaction failed to sanitize accounts offsets correctly',
        },
      })
    }
  })

  test('a program that is not there costs the fee', async () => {
    const [payer, nowhere] = [await on.newcomer(), await generateKeyPairSigner()]
    const { wire, signature } = await on.sign(payer, [{ programAddress: nowhere.address, data: new Uint8Array([1]) }])
    expect(await on.call('sendTransaction', wire, { ...base64, preflightCommitment: 'confirmed' })).toEqual(
      refused('Attempt to load a program that does not exist', { err: 'ProgramAccountNotFound' }),
    )
    await on.call('sendTransaction', wire, { ...base64, skipPreflight: true })
    await on.landed(signature)
    expect((await on.call('getSignatureStatuses', [signature])).value[0].err).toBe('ProgramAccountNotFound')
    expect(await on.chain.lamports(payer.address)).toBe(1_000_000_000n - 5_000n)
  })
})

describe('simulateTransaction', () => {
  /** As a facilitator sees a payment: the fee payer has not signed yet. */
  async function unsignedPayment(amount: bigint, tokens = 5n) {
    const [payer, facilitator] = [await on.newcomer(tokens), await on.signer('facilitator')]
    const signedWire = await on.sign(facilitator, [
      await transferUsdc(payer, address(on.chain.account('seller').address), amount),
    ])
    const bytes = Buffer.from(signedWire.wire, 'base64')
    bytes.fill(0, 1, 65)
    return { payer, facilitator, wire: bytes.toString('base64'), signed: signedWire }
  }
  const asFacilitator = { sigVerify: false, replaceRecentBlockhash: false, ...confirmed, ...base64 }

  test('tells what a transaction would do, and does nothing', async () => {
    const { payer, facilitator, wire } = await unsignedPayment(2n)
    const before = await on.chain.lamports(facilitator.address)
    const { context, value } = await on.call('simulateTransaction', wire, asFacilitator)
    expect(context).toEqual({ apiVersion: expect.any(String), slot: expect.any(Number) })
    expect(value).toMatchObject({
      err: null,
      accounts: null,
      returnData: null,
      innerInstructions: null,
      replacementBlockhash: null,
      fee: 10_000,
      loadedAddresses: { writable: [], readonly: [] },
    })
    expect(value.unitsConsumed).toBeGreaterThan(0)
    expect(value.loadedAccountsDataSize).toBeGreaterThan(165)
    expect(value.logs[0]).toBe('Program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA invoke [1]')
    expect(value.preBalances[0] - value.postBalances[0]).toBe(10_000)
    const amounts = (list: Array<{ owner: string; uiTokenAmount: { amount: string } }>) =>
      list.find(({ owner }) => owner === payer.address)?.uiTokenAmount.amount
    expect([amounts(value.preTokenBalances), amounts(value.postTokenBalances)]).toEqual(['5', '3'])
    expect([await on.chain.balance(payer.address), await on.chain.lamports(facilitator.address)]).toEqual([5n, before])
  })

  test('tells why it would fail', async () => {
    const { wire } = await unsignedPayment(6n)
    const { value } = await on.call('simulateTransaction', wire, asFacilitator)
    expect(value).toMatchObject({ err: { InstructionError: [0, { Custom: 1 }] }, accounts: null })
  })

  test('verifies signatures when asked', async () => {
    const { wire, signed } = await unsignedPayment(1n)
    const answer = await on.call('simulateTransaction', wire, { ...asFacilitator, sigVerify: true })
    expect(answer.value).toMatchObject({ err: 'SignatureFailure', logs: [], unitsConsumed: 0 })
    expect(
      (await on.call('simulateTransaction', signed.wire, { ...asFacilitator, sigVerify: true })).value.err,
    ).toBeNull()
  })

  test('knows a payment that was made, whoever has signed it', async () => {
    const { wire, signed } = await unsignedPayment(1n)
    await on.landed(await on.rpc.sendTransaction(signed.wire, { ...base64, skipPreflight: true }).send())
    expect((await on.call('simulateTransaction', wire, asFacilitator)).value.err).toBe('AlreadyProcessed')
  })

  test('replaces the blockhash when asked, but then cannot verify', async () => {
    const { wire } = await on.sign(await on.newcomer(), [memo('old')], {
      blockhash: strangeHash,
      lastValidBlockHeight: 0n,
    })
    expect((await on.call('simulateTransaction', wire, asFacilitator)).value.err).toBe('BlockhashNotFound')
    const { value } = await on.call('simulateTransaction', wire, { ...asFacilitator, replaceRecentBlockhash: true })
    expect(value).toMatchObject({
      err: null,
      replacementBlockhash: { blockhash: expect.any(String), lastValidBlockHeight: expect.any(Number) },
    })
    expect(
      await on.call('simulateTransaction', wire, { ...asFacilitator, replaceRecentBlockhash: true, sigVerify: true }),
    ).toEqual({
      error: { code: -32602, message: 'sigVerify may not be used with replaceRecentBlockhash' },
    })
  })

  test('shows accounts as they would be', async () => {
    const { payer, wire } = await unsignedPayment(2n)
    const account = await tokenAccountOf(payer.address)
    const ask = (encoding: string) =>
      on.call('simulateTransaction', wire, { ...asFacilitator, accounts: { encoding, addresses: [account] } })
    expect((await ask('jsonParsed')).value.accounts[0].data.parsed.info.tokenAmount.amount).toBe('3')
    expect((await ask('base64')).value.accounts[0]).toMatchObject({ data: [expect.any(String), 'base64'], space: 165 })
    expect(await ask('base58')).toEqual({ error: { code: -32602, message: 'base58 encoding not supported' } })
  })

  test('shows inner instructions, parsed', async () => {
    const [payer, wallet] = [await on.newcomer(), await generateKeyPairSigner()]
    const create = await getCreateAssociatedTokenIdempotentInstructionAsync({
      payer,
      owner: wallet.address,
      mint: usdc,
    })
    const { wire } = await on.sign(payer, [create])
    const { value } = await on.call('simulateTransaction', wire, { ...asFacilitator, innerInstructions: true })
    const [{ index, instructions }] = value.innerInstructions
    expect({ index, types: instructions.map((each: { parsed?: { type: string } }) => each.parsed?.type) }).toEqual({
      index: 0,
      types: expect.arrayContaining(['createAccount', 'initializeImmutableOwner', 'initializeAccount3']),
    })
  })
})

test('requestAirdrop gives SOL, again and again, in transactions of their own', async () => {
  const { address: to } = await generateKeyPairSigner()
  const ask = () => on.rpc.requestAirdrop(to, lamports(2_000_000n)).send()
  const signatures = [await ask(), await ask()]
  for (const signature of signatures) await on.landed(signature)
  expect(new Set(signatures).size).toBe(2)
  expect(await on.chain.lamports(to)).toBe(4_000_000n)
  expect(await on.call('requestAirdrop', 'not an address', 1)).toMatchObject({ error: { code: -32602 } })
})

test('signers that are not asked to write may sign, and cost', async () => {
  const [payer, witness] = [await on.newcomer(), await generateKeyPairSigner()]
  const transfer = getTransferSolInstruction({
    source: payer,
    destination: address(on.chain.account('seller').address),
    amount: 1n,
  })
  const witnessed = {
    ...memo('seen'),
    accounts: [{ address: witness.address, role: AccountRole.READONLY_SIGNER, signer: witness }],
  }
  const signature = await on.run(payer, [transfer, witnessed])
  const { meta } = await on.call('getTransaction', signature as Signature, {
    ...confirmed,
    maxSupportedTransactionVersion: 0,
  })
  expect(meta.fee).toBe(10_000)
})
