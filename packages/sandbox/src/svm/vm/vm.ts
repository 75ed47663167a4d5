import type * as Native from 'litesvm/dist/internal.js'
import { SandboxError } from '../../sandbox-error.js'
import { programs } from '../programs.js'
import { type Address, addressBytes, formatAddress } from '../wire/address.js'
import type { CompiledInstruction } from '../wire/transaction.js'
import {
  type InstructionError,
  instructionErrorNames,
  type TransactionError,
  transactionErrorNames,
} from './transaction-error.js'

/** An account as the chain keeps it. */
export type AccountState = {
  readonly lamports: bigint
  readonly data: Uint8Array
  readonly owner: Address
  readonly executable: boolean
  readonly rentEpoch: bigint
}

/** An instruction that a program called. */
export type InnerInstruction = CompiledInstruction & { readonly stackHeight: number }

/** What running a transaction came to. */
export type Execution = {
  readonly error: TransactionError | undefined
  readonly logs: readonly string[]
  /** For each instruction of the transaction, those that it called. */
  readonly inner: ReadonlyArray<readonly InnerInstruction[]>
  readonly computeUnits: bigint
  readonly returnData?: { readonly program: Address; readonly data: Uint8Array } | undefined
}

/** What running a transaction would come to, with the accounts it would have written. */
export type Simulation = Execution & { readonly accounts: ReadonlyMap<Address, AccountState> }

/**
 * The Agave runtime in this process. It runs transactions and keeps accounts; blockhashes and replays are not its
 * business. The bytes of a transaction must have been decoded before: bytes that are none end the process.
 */
export interface Vm {
  account(address: Address): AccountState | undefined
  /** Puts an account where it is told; undefined removes it. */
  setAccount(address: Address, state: AccountState | undefined): void
  programAccounts(program: Address): Array<readonly [Address, AccountState]>
  /** Lamports that keep an account with so many bytes of data. */
  rentExemption(size: number): bigint
  execute(wire: Uint8Array): Execution
  simulate(wire: Uint8Array, verifySignatures: boolean): Simulation
  /** The clock that programs see; time in seconds since 1970. */
  setClock(slot: number, epoch: number, time: number): void
  addProgram(address: Address, elf: Uint8Array): void
  /** Every account, as bytes for {@link Vm.restore}. */
  save(): Uint8Array
  restore(saved: Uint8Array): void
}

/** Starts a runtime. Throws `svm_missing` where there is no build of it. */
export async function createVm(): Promise<Vm> {
  const native = await loadNative()
  let svm = prepared(new native.LiteSvm())

  function outcome(result: Native.TransactionMetadata | Native.FailedTransactionMetadata): Execution {
    const failed = result instanceof native.FailedTransactionMetadata
    return executionOf(failed ? result.meta() : result, failed ? errorOf(native, result.err()) : undefined)
  }

  return {
    account(address) {
      const account = svm.getAccount(addressBytes(address))
      return account === null ? undefined : stateOf(account)
    },
    setAccount(address, state) {
      const { lamports, data, owner, executable, rentEpoch } = state ?? nothing
      svm.setAccount(
        addressBytes(address),
        new native.Account(lamports, data, addressBytes(owner), executable, rentEpoch),
      )
    },
    programAccounts: (program) =>
      svm
        .getProgramAccounts(addressBytes(program))
        .map((each) => [formatAddress(each.address), stateOf(each.account())]),
    rentExemption: (size) => svm.minimumBalanceForRentExemption(BigInt(size)),
    execute: (wire) => outcome(svm.sendVersionedTransaction(wire)),
    simulate(wire, verifySignatures) {
      svm.setSigverify(verifySignatures)
      const result = svm.simulateVersionedTransaction(wire)
      svm.setSigverify(true)
      if (result instanceof native.FailedTransactionMetadata) return { ...outcome(result), accounts: new Map() }
      const accounts = result
        .postAccounts()
        .map((each) => [formatAddress(each.address), stateOf(each.account())] as const)
      return { ...executionOf(result.meta(), undefined), accounts: new Map(accounts) }
    },
    setClock(slot, epoch, time) {
      svm.setClock(new native.Clock(BigInt(slot), 0n, BigInt(epoch), BigInt(epoch + 1), BigInt(time)))
    },
    addProgram: (address, elf) => svm.addProgram(addressBytes(address), elf),
    save: () => svm.toBytes(),
    restore(saved) {
      svm = prepared(native.LiteSvm.fromBytes(saved))
    },
  }
}

const nothing: AccountState = {
  lamports: 0n,
  data: new Uint8Array(),
  owner: programs.system,
  executable: false,
  rentEpoch: 0n,
}

async function loadNative(): Promise<typeof Native> {
  try {
    // The package's own entry wraps these classes for @solana/kit, which takes 200 ms to load. The version is pinned.
    return await import('litesvm/dist/internal.js')
  } catch (cause) {
    throw new SandboxError('svm_missing', `No Solana runtime is installed for ${process.platform} ${process.arch}.`, {
      cause,
    })
  }
}

/** Without its own idea of blockhashes (only the newest is valid) and replays (by signature, forgotten after 32). */
function prepared(svm: Native.LiteSvm): Native.LiteSvm {
  svm.setBlockhashCheck(false)
  svm.setTransactionHistory(0n)
  svm.setSigverify(true)
  return svm
}

function stateOf(account: Native.Account): AccountState {
  return {
    lamports: account.lamports(),
    data: account.data(),
    owner: formatAddress(account.owner()),
    executable: account.executable(),
    rentEpoch: account.rentEpoch(),
  }
}

function executionOf(meta: Native.TransactionMetadata, error: TransactionError | undefined): Execution {
  const returned = meta.returnData()
  const data = returned.data()
  return {
    error,
    logs: meta.logs(),
    inner: meta.innerInstructions().map((instructions) =>
      instructions.map((each) => {
        const instruction = each.instruction()
        return {
          programIndex: instruction.programIdIndex(),
          accounts: [...instruction.accounts()],
          data: instruction.data(),
          stackHeight: each.stackHeight(),
        }
      }),
    ),
    computeUnits: meta.computeUnitsConsumed(),
    returnData: data.length === 0 ? undefined : { program: formatAddress(returned.programId()), data },
  }
}

function errorOf(native: typeof Native, error: ReturnType<Native.FailedTransactionMetadata['err']>): TransactionError {
  if (typeof error === 'number') return transactionErrorNames[error] ?? 'SanitizeFailure'
  if (error instanceof native.TransactionErrorInstructionError) {
    return { InstructionError: [error.index, instructionErrorOf(native, error.err())] }
  }
  if (error instanceof native.TransactionErrorDuplicateInstruction) return { DuplicateInstruction: error.index }
  const place = { account_index: error.accountIndex }
  return error instanceof native.TransactionErrorInsufficientFundsForRent
    ? { InsufficientFundsForRent: place }
    : { ProgramExecutionTemporarilyRestricted: place }
}

function instructionErrorOf(
  native: typeof Native,
  error: ReturnType<Native.TransactionErrorInstructionError['err']>,
): InstructionError {
  if (typeof error === 'number') return instructionErrorNames[error] ?? 'GenericError'
  return error instanceof native.InstructionErrorCustom ? { Custom: error.code } : 'BorshIoError'
}
