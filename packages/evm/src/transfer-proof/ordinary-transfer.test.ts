import { concat, encodeFunctionData, encodePacked, erc20Abi, type Hex, pad, parseAbi, zeroAddress } from 'viem'
import { entryPoint06Abi, entryPoint07Abi } from 'viem/account-abstraction'
import { expect, test } from 'vitest'
import { type Address, parseAddress } from '../address.js'
import { AUTHORIZATION_USED, TRANSFER, topicOf } from '../exact/token.js'
import type { Log } from '../rpc.js'
import { findOrdinaryTransfer } from './ordinary-transfer.js'

const address = (digit: string): Address => parseAddress(`0x${digit.repeat(40)}`) as Address
const [token, wallet, payee, bundler] = ['a', 'b', 'c', 'd'].map(address) as [Address, Address, Address, Address]
const value = 1_000n
const wanted = { token, from: wallet, to: payee, value }
const transfer = (to: Hex = payee, amount = value): Hex =>
  encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [to, amount] })

const logOf = (more: Partial<Log> = {}): Log => ({
  address: token,
  topics: [TRANSFER, topicOf(wallet), topicOf(payee)],
  data: pad('0x03e8'),
  logIndex: 7,
  transactionHash: pad('0x01'),
  ...more,
})

const found = (to: Address | undefined, data: Hex, logs: readonly Log[] = [logOf()], success = true) =>
  findOrdinaryTransfer({ data, ...(to ? { to } : {}) }, { success, logs }, wanted)?.logIndex

const abi = parseAbi([
  'function execute(address target, uint256 value, bytes data)',
  'function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)',
  'function executeBatch((address target, uint256 value, bytes data)[] calls)',
])
const modular = parseAbi(['function execute(bytes32 mode, bytes executionCalldata)'])

const execute = (target: Hex = token, data: Hex = transfer()): Hex =>
  encodeFunctionData({ abi, functionName: 'execute', args: [target, 0n, data] })
const safe = (operation: number): Hex =>
  encodeFunctionData({
    abi,
    functionName: 'execTransaction',
    args: [token, 0n, transfer(), operation, 0n, 0n, 0n, zeroAddress, zeroAddress, '0x1234'],
  })
const inMode = (mode: Hex): Hex =>
  encodeFunctionData({
    abi: modular,
    functionName: 'execute',
    args: [pad(mode, { dir: 'right' }), encodePacked(['address', 'uint256', 'bytes'], [token, 0n, transfer()])],
  })

test('EVM-PROOF-007 EVM-PROOF-013 a transaction that calls the token, and what wallets are told in their own words', () => {
  expect(found(token, transfer())).toBe(7)
  expect(found(wallet, execute())).toBe(7)
  expect(found(wallet, safe(0))).toBe(7)
  expect(found(wallet, inMode('0x00'))).toBe(7)
  // What goes on behind the arguments is read by nobody.
  expect(found(token, concat([transfer(), '0xcafe']))).toBe(7)
})

test('EVM-PROOF-013 other words, other targets, foreign code and cut-off data tell a wallet nothing', () => {
  expect(found(wallet, safe(1))).toBeUndefined()
  expect(found(wallet, inMode('0x01'))).toBeUndefined()
  expect(found(wallet, inMode('0xff'))).toBeUndefined()
  expect(found(wallet, execute(bundler))).toBeUndefined()
  expect(found(wallet, execute(token, transfer(bundler)))).toBeUndefined()
  expect(found(wallet, execute(token, transfer(payee, 999n)))).toBeUndefined()
  const batch = encodeFunctionData({
    abi,
    functionName: 'executeBatch',
    args: [[{ target: token, value: 0n, data: transfer() }]],
  })
  expect(found(wallet, batch)).toBeUndefined()
  expect(found(bundler, execute())).toBeUndefined()
  expect(found(undefined, execute())).toBeUndefined()
  const whole = execute()
  for (let length = 2; length < whole.length - 60; length += 14) {
    expect(found(wallet, whole.slice(0, length) as Hex)).toBeUndefined()
  }
  // Offsets that lead nowhere, or far away.
  expect(found(wallet, whole.replace(pad('0x60').slice(2), 'f'.repeat(64)) as Hex)).toBeUndefined()
})

const marks: readonly Hex[] = [
  AUTHORIZATION_USED,
  '0x97088ec3606cfe8cc112180570d03fcde05f9b8e1bfef8e27784eaf5dd5691b6',
  '0xde5b89d10fc800c459329c382fabfcad0be0ed7e5328e01fae04e507b09ef5d8',
  '0x40dadaa36c6c2e3d7317e24757451ffb2d603d875f0ad5e92c5dd156573b1873',
]

test('EVM-PROOF-013 what settled another scheme is no proof, whoever was told to do it', () => {
  for (const topic of marks) {
    expect(found(wallet, execute(), [logOf({ topics: [topic] }), logOf()])).toBeUndefined()
    expect(found(token, transfer(), [logOf(), logOf({ topics: [topic] })])).toBeUndefined()
  }
  expect(found(wallet, execute(), [logOf({ topics: [] }), logOf()])).toBe(7)
})

test('EVM-PROOF-013 what others settle in the same bundle takes nobody’s transfer from them', () => {
  const [authorized = '', , , delegated = ''] = marks
  for (const topic of [authorized, delegated] as Hex[]) {
    const by = (account: Address) => logOf({ topics: [topic, topicOf(account), pad('0x05')] })
    expect(found(wallet, execute(), [by(bundler), logOf()])).toBe(7)
    expect(found(wallet, execute(), [by(bundler), by(wallet), logOf()])).toBeUndefined()
  }
})

test('EVM-PROOF-007 without the token’s own word, or where the transaction failed, nothing moved', () => {
  expect(found(wallet, execute(), [])).toBeUndefined()
  expect(found(wallet, execute(), [logOf({ address: bundler })])).toBeUndefined()
  expect(found(wallet, execute(), [logOf()], false)).toBeUndefined()
})

const entry06 = parseAddress('0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789') as Address
const entry07 = parseAddress('0x0000000071727De22E5E9d8BAf0edAc6f37da032') as Address
const entry08 = parseAddress('0x4337084D9E255Ff0702461CF8895CE9E3b5Ff108') as Address

const older = (...calls: readonly (readonly [Hex, Hex])[]): Hex =>
  encodeFunctionData({
    abi: entryPoint06Abi,
    functionName: 'handleOps',
    args: [
      calls.map(([sender, callData]) => ({
        ...{ sender, callData, nonce: 1n, initCode: '0x1234' as const, signature: '0x99' as const },
        ...{ callGasLimit: 1n, verificationGasLimit: 2n, preVerificationGas: 3n },
        ...{ maxFeePerGas: 4n, maxPriorityFeePerGas: 5n, paymasterAndData: '0x55' as const },
      })),
      bundler,
    ],
  })
const newer = (...calls: readonly (readonly [Hex, Hex])[]): Hex =>
  encodeFunctionData({
    abi: entryPoint07Abi,
    functionName: 'handleOps',
    args: [
      calls.map(([sender, callData]) => ({
        ...{ sender, callData, nonce: 1n, initCode: '0x' as const, signature: '0x99' as const },
        ...{ accountGasLimits: pad('0x01'), gasFees: pad('0x02'), preVerificationGas: 3n },
        paymasterAndData: '0x' as const,
      })),
      bundler,
    ],
  })

test('EVM-PROOF-013 a user operation tells the wallet of its sender, in a bundle with others (ERC-4337)', () => {
  const other = [bundler, execute()] as const
  for (const [entry, bundle] of [
    [entry06, older],
    [entry07, newer],
    [entry08, newer],
  ] as const) {
    expect(found(entry, bundle([wallet, execute()]))).toBe(7)
    expect(found(entry, bundle(other, [wallet, safe(0)], other))).toBe(7)
    expect(found(entry, bundle(other))).toBeUndefined()
    expect(found(entry, bundle([wallet, transfer()]))).toBeUndefined()
    expect(found(entry, bundle())).toBeUndefined()
    // Anybody can write a contract that looks like an entry point.
    expect(found(bundler, bundle([wallet, execute()]))).toBeUndefined()
    const whole = bundle([wallet, execute()])
    expect(found(entry, whole.slice(0, 200) as Hex)).toBeUndefined()
  }
})
