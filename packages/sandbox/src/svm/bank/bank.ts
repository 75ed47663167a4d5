import { programs } from '../programs.js'
import type { AccountState, Execution, Vm } from '../vm/vm.js'
import type { Address } from '../wire/address.js'
import { isSane } from '../wire/sanitize.js'
import type { Transaction } from '../wire/transaction.js'
import { type Block, createBlocks } from './blocks.js'
import { feeOf } from './fee.js'
import { type Keys, resolveKeys } from './keys.js'
import { createLedger, type LandedTransaction } from './ledger.js'
import { usesDurableNonce } from './nonce.js'
import {
  balancesOf,
  isCharged,
  isLoadFailure,
  isSame,
  loadedBytesOf,
  refined,
  type Simulated,
  withoutFee,
} from './run.js'
import { slotHashesAccount } from './slot-hashes.js'
import { createVersions } from './versions.js'
import { blockhashLifetime, type View } from './view.js'

/** The chain itself: it makes blocks, takes transactions into them, and remembers. */
export interface Bank {
  readonly head: Block
  /** Everything that landed, oldest first. */
  readonly landed: readonly LandedTransaction[]
  /** What landed and names an account, oldest first. */
  landedOf(address: Address): readonly LandedTransaction[]
  /** The chain at the end of a slot. */
  at(slot: number): View
  /** Takes a transaction into the newest block, or drops it as a leader would: without a word. */
  land(transaction: Transaction): void
  /** Makes the next block; time in seconds since 1970. */
  next(time: number): void
  /** Changes an account by decree, also for those who look at the past. Undefined removes it. */
  decree(address: Address, state: AccountState | undefined): void
  /** Runs a transaction by decree: no check, no record, and it always was so. */
  decreeTransaction(transaction: Transaction): Execution
  /** Lamports that keep an account with so many bytes of data. */
  rentExemption(size: number): bigint
  addProgram(address: Address, elf: Uint8Array): void
  /** Remembers everything; the function it returns goes back to it, again and again. */
  mark(): () => void
}

/** A chain with the accounts of `vm`. Blockhashes follow from `seed`; time in seconds since 1970. */
export function createBank(vm: Vm, seed: Uint8Array, time: number): Bank {
  const blocks = createBlocks(seed, time)
  const versions = createVersions()
  const ledger = createLedger()
  let toldSlot = -1

  /** Tells programs the time, just before they can ask. */
  function tellTime(): void {
    const { slot, time: now } = blocks.head
    if (toldSlot === slot) return
    toldSlot = slot
    vm.setClock(slot, epochOf(slot), now)
    vm.setAccount(programs.slotHashes, slotHashesAccount(blocks, slot))
  }

  function account(address: Address, slot: number): AccountState | undefined {
    const version = versions.at(address, slot)
    if (version) return version.state
    if (address.startsWith('Sysvar')) tellTime()
    return vm.account(address)
  }

  function at(slot: number): View {
    const block = blocks.at(slot) ?? blocks.head
    const reader = { slot: block.slot, account: (address: Address) => account(address, block.slot) }
    const isPast = (other: number | undefined) => other !== undefined && other <= block.slot

    function ageOf(blockhash: string): number | undefined {
      const found = blocks.find(blockhash)
      return found && isPast(found.slot) ? block.height - found.height : undefined
    }

    return {
      ...reader,
      block,
      programAccounts(program) {
        const accounts = new Map(vm.programAccounts(program))
        for (const address of versions.addresses()) {
          const state = account(address, block.slot)
          if (state?.owner === program) accounts.set(address, state)
          else accounts.delete(address)
        }
        return [...accounts]
      },
      ageOf,
      landed(id) {
        const found = ledger.find(id)
        return isPast(found?.slot) ? found : undefined
      },
      refusalOf(message, maxAge) {
        const age = ageOf(message.blockhash)
        const isFresh = age !== undefined && age <= maxAge
        if (!isFresh && !usesDurableNonce(message, reader)) return 'BlockhashNotFound'
        return isPast(ledger.slotOf(message.hash)) ? 'AlreadyProcessed' : undefined
      },
      simulate: (transaction, keys, verifySignatures) => simulate(transaction, keys, reader, verifySignatures),
    }
  }

  function simulate(transaction: Transaction, keys: Keys, view: Reader, verifySignatures: boolean): Simulated {
    const { message, wire } = transaction
    const before = keys.all.map(view.account)
    const restore = rollBack(keys.all, view.slot)
    tellTime()
    const simulation = refined(vm.simulate(wire, verifySignatures), message, view.account)
    restore()
    if (!isCharged(simulation)) return { ...simulation, loadedBytes: 0 }
    const fee = feeOf(message)
    const succeeded = simulation.error === undefined
    const after = succeeded
      ? keys.all.map((address, i) => simulation.accounts.get(address) ?? before[i])
      : withoutFee(before, fee)
    return {
      ...simulation,
      charged: { fee, balances: balancesOf(before, after, view.account) },
      loadedBytes: loadedBytesOf(message, keys, view.account),
    }
  }

  /** Gives accounts the state that they had at the end of a slot; the function it returns undoes it. */
  function rollBack(addresses: readonly Address[], slot: number): () => void {
    const now = blocks.head.slot
    const moved = addresses.filter((address) => versions.at(address, slot) !== versions.at(address, now))
    const put = (at: number) => {
      for (const address of moved) vm.setAccount(address, versions.at(address, at)?.state)
    }
    put(slot)
    return () => put(now)
  }

  function land(transaction: Transaction): void {
    const { message, wire } = transaction
    const { slot, time: now } = blocks.head
    const view = at(slot)
    if (!isSane(transaction) || view.refusalOf(message, blockhashLifetime)) return
    const keys = resolveKeys(message, view)
    if (typeof keys === 'string') return

    const before = keys.all.map(vm.account)
    tellTime()
    const execution = refined(vm.execute(wire), message, vm.account)
    if (!isCharged(execution)) return
    const fee = feeOf(message)
    const payer = keys.all[0]
    if (isLoadFailure(execution.error) && payer) vm.setAccount(payer, withoutFee(before, fee)[0])

    const after = keys.all.map(vm.account)
    keys.all.forEach((address, i) => {
      if (!isSame(before[i], after[i])) versions.note(address, slot, before[i], after[i])
    })
    const balances = balancesOf(before, after, vm.account)
    ledger.add({ transaction, slot, index: ledger.countIn(slot), time: now, keys, execution, fee, balances })
  }

  return {
    get head() {
      return blocks.head
    },
    get landed() {
      return ledger.all
    },
    landedOf: ledger.of,
    at,
    land,
    next(seconds) {
      blocks.push(seconds)
    },
    decree(address, state) {
      vm.setAccount(address, state)
      versions.rewrite(address, state)
    },
    decreeTransaction({ wire, message }) {
      tellTime()
      const execution = vm.execute(wire)
      for (const address of message.staticKeys) versions.rewrite(address, vm.account(address))
      return execution
    },
    rentExemption: vm.rentExemption,
    addProgram: vm.addProgram,
    mark() {
      const saved = vm.save()
      const backs = [blocks.mark(), versions.mark(), ledger.mark()]
      return () => {
        vm.restore(saved)
        for (const back of backs) back()
        toldSlot = -1
      }
    },
  }
}

type Reader = { readonly slot: number; account(address: Address): AccountState | undefined }

/** Epochs as a test validator has them: all of one length. */
export function epochOf(slot: number): number {
  return Math.floor(slot / slotsPerEpoch)
}

/** Slots in an epoch. */
export const slotsPerEpoch = 432_000
