import { faucetSecretKey } from '../../accounts.js'
import { type Keys, resolveKeys } from '../../bank/keys.js'
import type { Simulated } from '../../bank/run.js'
import { blockhashLifetime, type View } from '../../bank/view.js'
import { encodeInner, encodeReturnData, encodeTokenBalance } from '../../parsed/transaction.js'
import { programs } from '../../programs.js'
import { describeTransactionError, type TransactionError } from '../../vm/transaction-error.js'
import { buildTransaction } from '../../wire/build.js'
import { parseSecretKey } from '../../wire/keypair.js'
import { isSane } from '../../wire/sanitize.js'
import { decodeTransaction, type Transaction, withBlockhash } from '../../wire/transaction.js'
import { accountConfig, writeAccount } from '../account-config.js'
import type { Methods } from '../method.js'
import { respond } from '../node.js'
import {
  addressAt,
  asAddress,
  type Config,
  choiceIn,
  commitmentIn,
  configAt,
  flagIn,
  integerAt,
  isConfig,
  textAt,
  textsAt,
} from '../params.js'
import { invalidParams, RpcError } from '../rpc-error.js'
import { decodeWire, deserialized } from '../wire-text.js'
import { latestBlockhash } from './blockhashes.js'
import { assertHealthy } from './status.js'

/** Sending transactions, and trying them. */
export const submissionMethods: Methods = {
  sendTransaction: (params, node) => {
    const config = configAt(params, 1)
    const transaction = readTransaction(params, config)
    const skipPreflight = flagIn(config, 'skipPreflight')
    const commitment = skipPreflight ? 'processed' : commitmentIn(config, 'preflightCommitment')
    const view = node.viewFor({ ...config, commitment })
    const keys = keysOf(transaction, view)
    if (!skipPreflight) {
      const simulated = simulate(transaction, keys, view, true)
      if (simulated.error !== 'SignatureFailure') assertHealthy(node)
      if (simulated.error !== undefined) throw preflightFailure(simulated, simulated.error)
    }
    node.leader.submit(transaction)
    return transaction.id
  },
  simulateTransaction: (params, node) => {
    const config = configAt(params, 1)
    const sent = readTransaction(params, config)
    const view = node.viewFor(config)
    const [verify, replace] = [flagIn(config, 'sigVerify'), flagIn(config, 'replaceRecentBlockhash')]
    if (verify && replace) throw invalidParams('sigVerify may not be used with replaceRecentBlockhash')
    const transaction = replace ? withBlockhash(sent, view.block.hashBytes) : sent
    const keys = keysOf(transaction, view)
    const simulated = simulate(transaction, keys, view, verify)
    const { charged } = simulated
    return respond(view, {
      ...outcomeOf(simulated),
      accounts: accountsOf(config, simulated, keys, view),
      innerInstructions: flagIn(config, 'innerInstructions') && charged ? encodeInner(simulated, keys, true) : null,
      replacementBlockhash: replace ? latestBlockhash(view) : null,
      preBalances: charged?.balances.pre ?? null,
      postBalances: charged?.balances.post ?? null,
      preTokenBalances: charged?.balances.preTokens.map(encodeTokenBalance) ?? null,
      postTokenBalances: charged?.balances.postTokens.map(encodeTokenBalance) ?? null,
      loadedAddresses: keys.loaded,
    })
  },
  requestAirdrop: (params, node) => {
    const address = addressAt(params, 0)
    const lamports = integerAt(params, 1)
    const transaction = airdrop(address, BigInt(lamports), node.view('processed'))
    node.leader.submit(transaction)
    return transaction.id
  },
}

function readTransaction(params: readonly unknown[], config: Config): Transaction {
  const text = textAt(params, 0)
  const encoding = choiceIn(config, 'encoding', ['binary', 'base58', 'base64', 'json', 'jsonParsed']) ?? 'base58'
  if (encoding !== 'base58' && encoding !== 'base64') {
    throw invalidParams(`unsupported encoding: ${encoding}. Supported encodings: base58, base64`)
  }
  return deserialized('VersionedTransaction', () => decodeTransaction(decodeWire(text, encoding)))
}

function keysOf(transaction: Transaction, view: View): Keys {
  const keys = isSane(transaction) ? resolveKeys(transaction.message, view) : 'SanitizeFailure'
  if (typeof keys === 'string') throw invalidParams(`invalid transaction: ${describeTransactionError(keys)}`)
  return keys
}

function simulate(transaction: Transaction, keys: Keys, view: View, verifySignatures: boolean): Simulated {
  const simulated = view.simulate(transaction, keys, verifySignatures)
  if (simulated.error === 'SignatureFailure') return simulated
  const refusal = view.refusalOf(transaction.message, blockhashLifetime - forwardingBlocks)
  return refusal === undefined ? simulated : notRun(refusal)
}

/** A node leaves so many blocks for the way to the leader. */
const forwardingBlocks = 6

function notRun(error: TransactionError): Simulated {
  return { error, logs: [], inner: [], computeUnits: 0n, accounts: new Map(), loadedBytes: 0 }
}

function preflightFailure(simulated: Simulated, error: TransactionError): RpcError {
  const message = `Transaction simulation failed: ${describeTransactionError(error)}`
  const unasked = {
    ...{ accounts: null, innerInstructions: null, replacementBlockhash: null, loadedAddresses: null },
    ...{ preBalances: null, postBalances: null, preTokenBalances: null, postTokenBalances: null },
  }
  return new RpcError(-32002, message, { ...outcomeOf(simulated), ...unasked })
}

function outcomeOf(simulated: Simulated) {
  return {
    err: simulated.error ?? null,
    logs: simulated.logs,
    unitsConsumed: simulated.computeUnits,
    loadedAccountsDataSize: simulated.loadedBytes,
    returnData: encodeReturnData(simulated),
    fee: simulated.charged?.fee ?? null,
  }
}

/** The accounts that the caller asked for, as the transaction would leave them. */
function accountsOf(config: Config, simulated: Simulated, keys: Keys, view: View) {
  if (!isConfig(config.accounts)) return null
  const how = accountConfig(config.accounts, 'base64')
  if (how.encoding === 'binary' || how.encoding === 'base58') throw invalidParams('base58 encoding not supported')
  const addresses = textsAt([config.accounts.addresses ?? []], 0, Number.MAX_SAFE_INTEGER).map(asAddress)
  if (addresses.length > keys.all.length) throw invalidParams(`Too many accounts provided; max ${keys.all.length}`)
  const read = (address: string) => simulated.accounts.get(address) ?? view.account(address)
  const after = { ...view, account: read }
  return addresses.map((address) => (simulated.error === undefined ? writeAccount(read(address), how, after) : null))
}

let airdrops = 0

/** Two airdrops of the same amount are two transactions: a memo tells them apart. */
function airdrop(address: string, lamports: bigint, view: View): Transaction {
  const faucet = parseSecretKey(faucetSecretKey)
  const data = Buffer.alloc(12)
  data.writeUInt32LE(2, 0)
  data.writeBigUInt64LE(lamports, 4)
  const accounts = [
    { address: faucet.address, signer: true, writable: true },
    { address, writable: true },
  ]
  airdrops += 1
  const wire = buildTransaction(
    [faucet],
    [
      { program: programs.system, accounts, data },
      { program: programs.memo, accounts: [], data: Buffer.from(`airdrop ${airdrops}`) },
    ],
    view.block.hashBytes,
  )
  return decodeTransaction(wire)
}
