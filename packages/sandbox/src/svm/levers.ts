import { faucetSecretKey } from './accounts.js'
import type { Bank } from './bank/bank.js'
import { plainAccount, svmUsdcAddress } from './genesis.js'
import { type Leader, type SvmFateRule, slotMs } from './leader.js'
import { programs } from './programs.js'
import type { AccountState } from './vm/vm.js'
import { type Address, addressBytes } from './wire/address.js'
import { buildTransaction } from './wire/build.js'
import { associatedTokenAddress } from './wire/derived-address.js'
import { parseSecretKey } from './wire/keypair.js'
import { amountOffset, decodeTokenAccount, supplyOffset } from './wire/token-layout.js'
import { decodeTransaction } from './wire/transaction.js'

/** An account as a test may write it. */
export type SvmAccountState = {
  readonly lamports: bigint
  readonly owner: string
  readonly data?: Uint8Array
  readonly executable?: boolean
}

/** What a test may do to a chain. Addresses are base58. Nodes that run already (`rpcUrl`) know only the first few. */
export interface SvmLevers {
  /**
   * Adds tokens (atomic units) out of nothing, USDC unless another mint is named, and the token account when there is
   * none. No transaction and no log, except on a node that runs already: there the issuer mints.
   */
  fund(owner: string, amount: bigint, mint?: string): Promise<void>
  /** Token balance in atomic units, at `processed`; of USDC unless another mint is named. Zero without an account. */
  balance(owner: string, mint?: string): Promise<bigint>
  /** Lamports of an account, at `processed`. */
  lamports(address: string): Promise<bigint>
  /** The newest slot. */
  slot(): Promise<bigint>
  /** Makes so many blocks, one unless told, 400 ms of chain time apart. A node that runs already is waited for. */
  step(slots?: number): Promise<void>
  /** Lets 151 blocks pass, so that no transaction signed until now can land any more. */
  expireBlockhashes(): Promise<void>

  /** A block by itself every so many milliseconds; `off`: only `step` makes blocks. */
  setTick(ms: number | 'off'): Promise<void>
  /** Lets so many seconds pass: chain time, blocks and blockhashes, as far as they go. */
  warp(seconds: number): Promise<void>
  /**
   * Decides from now on what becomes of the transactions that nodes accept. The newest rule that answers decides; the
   * function it returns takes the rule out. On their way transactions stay unknown to every node.
   */
  intercept(rule: SvmFateRule): () => void
  /** No block by itself and nothing lands, while nodes go on to answer and accept; until the returned function is called. */
  freeze(): () => void
  /** An account as it is, or undefined. */
  getAccount(address: string): Promise<SvmAccountState | undefined>
  /** Writes an account, at every commitment at once; undefined removes it. */
  setAccount(address: string, account: SvmAccountState | undefined): Promise<void>
  /** Puts a program at an address, by its ELF file. */
  addProgram(address: string, elf: Uint8Array): Promise<void>
  /**
   * Remembers the whole chain. The function it returns goes back to it, again and again: to its slot, accounts and
   * history. Blockhashes that were made since are unknown then, and not made again.
   */
  snapshot(): Promise<() => Promise<void>>
}

/** The levers of a chain in this process. */
export function createLevers(bank: Bank, leader: Leader): SvmLevers {
  const head = () => bank.at(bank.head.slot)

  function write(address: Address, state: AccountState | undefined): void {
    bank.decree(address, state)
    leader.changed()
  }

  /** The owner's token account, made by the program itself when it is not there, and so as the mint wants it. */
  function tokenAccount(owner: Address, mint: Address): { address: Address; state: AccountState } {
    const program = head().account(mint)?.owner ?? programs.token
    const address = associatedTokenAddress(owner, mint, program)
    if (head().account(address) === undefined) createTokenAccount(bank, { owner, mint, program, address })
    const state = head().account(address)
    if (state === undefined) throw new TypeError(`There is no mint at ${mint}.`)
    return { address, state }
  }

  return {
    async fund(owner, amount, mint = svmUsdcAddress) {
      const { address, state } = tokenAccount(owner, mint)
      const mintState = head().account(mint)
      if (mintState) bank.decree(mint, added(mintState, supplyOffset, amount))
      write(address, added(state, amountOffset, amount))
    },
    async balance(owner, mint = svmUsdcAddress) {
      const program = head().account(mint)?.owner ?? programs.token
      const state = head().account(associatedTokenAddress(owner, mint, program))
      return (state && decodeTokenAccount(state.data)?.amount) ?? 0n
    },
    lamports: async (address) => head().account(address)?.lamports ?? 0n,
    slot: async () => BigInt(bank.head.slot),
    step: async (slots = 1) => leader.step(slots),
    expireBlockhashes: async () => leader.step(151),
    setTick: async (ms) => leader.setTick(ms),
    warp: async (seconds) => leader.step(Math.ceil((seconds * 1_000) / slotMs)),
    intercept: leader.intercept,
    freeze: leader.freeze,
    getAccount: async (address) => head().account(address),
    async setAccount(address, account) {
      const { lamports = 0n, owner = programs.system, data, executable = false } = account ?? {}
      addressBytes(address)
      write(address, account && { ...plainAccount(lamports, owner, data), executable })
    },
    addProgram: async (address, elf) => bank.addProgram(address, elf),
    async snapshot() {
      const backs = [bank.mark(), leader.mark()]
      return async () => {
        for (const back of backs) back()
        leader.changed()
      }
    },
  }
}

type NewTokenAccount = {
  readonly owner: Address
  readonly mint: Address
  readonly program: Address
  readonly address: Address
}

function createTokenAccount(bank: Bank, { owner, mint, program, address }: NewTokenAccount): void {
  const faucet = parseSecretKey(faucetSecretKey)
  const accounts = [
    { address: faucet.address, signer: true, writable: true },
    { address, writable: true },
    ...[owner, mint, programs.system, program].map((each) => ({ address: each })),
  ]
  const instruction = { program: programs.associatedToken, accounts, data: Uint8Array.of(1) }
  bank.decreeTransaction(decodeTransaction(buildTransaction([faucet], [instruction], bank.head.hashBytes)))
}

/** An account with more in the u64 at `offset`. */
function added(state: AccountState, offset: number, amount: bigint): AccountState {
  const data = Buffer.from(state.data)
  data.writeBigUInt64LE(data.readBigUInt64LE(offset) + amount, offset)
  return { ...state, data }
}
