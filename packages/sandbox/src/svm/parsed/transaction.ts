import type { Keys } from '../bank/keys.js'
import type { LandedTransaction } from '../bank/ledger.js'
import type { TokenBalance } from '../bank/token-balances.js'
import type { Execution } from '../vm/vm.js'
import { formatBase58 } from '../wire/base58.js'
import type { Message, Transaction } from '../wire/transaction.js'
import { encodeInstruction, encodeParsedInstruction } from './instruction.js'
import { tokenAmount } from './token-amount.js'

/** How a transaction is written; `binary` is base58 without saying so. */
export type TransactionEncoding = 'binary' | 'base58' | 'base64' | 'json' | 'jsonParsed'

/** A transaction as nodes write it. */
export function encodeTransaction(
  { wire, signatures, message }: Transaction,
  keys: Keys,
  encoding: TransactionEncoding,
) {
  if (encoding === 'base64') return [Buffer.from(wire).toString('base64'), 'base64']
  if (encoding === 'base58') return [formatBase58(wire), 'base58']
  if (encoding === 'binary') return formatBase58(wire)
  return {
    signatures: signatures.map(formatBase58),
    message: encoding === 'json' ? encodeMessage(message) : encodeParsedMessage(message, keys),
  }
}

/** What a transaction did, as nodes write it. */
export function encodeMeta({ execution, fee, balances, keys }: LandedTransaction, encoding: TransactionEncoding) {
  const { error = null, logs, computeUnits } = execution
  return {
    err: error,
    status: error === null ? { Ok: null } : { Err: error },
    fee,
    preBalances: balances.pre,
    postBalances: balances.post,
    innerInstructions: encodeInner(execution, keys, encoding === 'jsonParsed'),
    logMessages: logs,
    preTokenBalances: balances.preTokens.map(encodeTokenBalance),
    postTokenBalances: balances.postTokens.map(encodeTokenBalance),
    rewards: [],
    loadedAddresses: encoding === 'jsonParsed' ? undefined : keys.loaded,
    returnData: encodeReturnData(execution) ?? undefined,
    computeUnitsConsumed: computeUnits,
  }
}

/** The instructions that programs called, as nodes write them. */
export function encodeInner({ inner }: Execution, keys: Keys, parsed: boolean) {
  return inner.flatMap((instructions, index) => {
    if (instructions.length === 0) return []
    const encoded = instructions.map((each) =>
      parsed ? encodeParsedInstruction(each, keys.all, each.stackHeight) : encodeInstruction(each, each.stackHeight),
    )
    return { index, instructions: encoded }
  })
}

/** What the last program returned, or null. */
export function encodeReturnData({ returnData }: Execution) {
  if (returnData === undefined) return null
  return { programId: returnData.program, data: [Buffer.from(returnData.data).toString('base64'), 'base64'] }
}

/** A token balance of an account of a transaction. */
export function encodeTokenBalance({ accountIndex, mint, owner, program, amount, decimals }: TokenBalance) {
  return { accountIndex, mint, uiTokenAmount: tokenAmount(amount, decimals), owner, programId: program }
}

function encodeMessage(message: Message) {
  return {
    header: {
      numRequiredSignatures: message.requiredSignatures,
      numReadonlySignedAccounts: message.readonlySigned,
      numReadonlyUnsignedAccounts: message.readonlyUnsigned,
    },
    accountKeys: message.staticKeys,
    recentBlockhash: message.blockhash,
    instructions: message.instructions.map((instruction) => encodeInstruction(instruction, topLevel)),
    addressTableLookups: encodeLookups(message),
  }
}

function encodeParsedMessage(message: Message, keys: Keys) {
  return {
    accountKeys: keys.all.map((pubkey, index) => ({
      pubkey,
      writable: keys.isWritable(index),
      signer: index < message.requiredSignatures,
      source: index < message.staticKeys.length ? 'transaction' : 'lookupTable',
    })),
    recentBlockhash: message.blockhash,
    instructions: message.instructions.map((each) => encodeParsedInstruction(each, keys.all, topLevel)),
    addressTableLookups: encodeLookups(message),
  }
}

function encodeLookups({ version, lookups }: Message) {
  if (version === 'legacy') return undefined
  return lookups.map(({ table, writable, readonly }) => ({
    accountKey: table,
    writableIndexes: writable,
    readonlyIndexes: readonly,
  }))
}

/** How deep an instruction of the transaction itself is. */
const topLevel = 1
