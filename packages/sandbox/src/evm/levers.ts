import type { Address, Hex } from 'viem'
import { SandboxError } from '../sandbox-error.js'
import type { JsonRpc } from './json-rpc.js'
import { quantity } from './quantity.js'
import { createQueue } from './queue.js'
import { usdcAddress, usdcAllowanceSlot, usdcBalanceSlot, usdcSupplySlot, word } from './usdc.js'

/**
 * What a test may do to a chain. Each is one or two calls to the node.
 * All throw `chain_unreachable`, `cheat_missing` or `rpc_refused`.
 */
export interface EvmLevers {
  /** Adds USDC (atomic units) out of nothing: no transaction, no log, no block. Not while the account is paying. */
  fund(address: Address, amount: bigint): Promise<void>
  /** Lets a spender take so much USDC (atomic units) of an account: no transaction, no log, no block, and no gas money needed. */
  allow(address: Address, spender: Address, amount: bigint): Promise<void>
  /** Token balance in atomic units; of USDC unless another token is named. */
  balance(address: Address, token?: Address): Promise<bigint>
  /** Balance of gas money, in wei. */
  nativeBalance(address: Address): Promise<bigint>
  /** Mines blocks, one unless told, with what is pending in the first. */
  mine(blocks?: number): Promise<void>
  /** On: a block for every transaction, at once. Off: only `mine` makes blocks. */
  setAutomine(on: boolean): Promise<void>
  /** A block every so many seconds, instead of automining. Zero stops all mining. */
  setIntervalMining(seconds: number): Promise<void>
  /** Moves the chain's clock ahead, in seconds, and mines a block so that calls at `latest` see it. */
  warp(seconds: number): Promise<void>
  /** The chain's clock: seconds since 1970 that the next block would carry. `latest` may be older. */
  now(): Promise<number>
  /**
   * Remembers the state. The function it returns goes back to it, drops what is pending and restores the mining mode and
   * the price of the next block; it may be called again and again. The clock loses what was warped, and goes on otherwise. Wait for the receipts of
   * what was sent before going back, or it may be mined just after.
   */
  snapshot(): Promise<() => Promise<void>>
  /**
   * Replaces the last blocks by empty ones: their transactions are gone, also from the pool. Undoes `fund` as well.
   * Anvil mines just after it answers a send, so wait for the receipt first.
   */
  reorg(depth: number): Promise<void>
  /** Takes a transaction out of the pool. */
  dropTransaction(hash: Hex): Promise<void>
  /** Base fee of the next block, in wei per gas. */
  setNextBaseFee(wei: bigint): Promise<void>
  /** Puts runtime code at an address; `0x` removes it. */
  setCode(address: Address, code: Hex): Promise<void>
}

/** The levers of one node. `clock` returns milliseconds. */
export function createLevers(rpc: JsonRpc, clock: () => number): EvmLevers {
  let mining: MiningMode = { automine: true }
  const oneAtATime = createQueue()

  async function setMining(mode: MiningMode): Promise<void> {
    if ('automine' in mode) await rpc.call('evm_setAutomine', mode.automine)
    else await rpc.call('evm_setIntervalMining', mode.seconds)
    mining = mode
  }

  async function nextBlock(): Promise<{ timestamp: number; baseFee: bigint }> {
    const block = await rpc.call('eth_getBlockByNumber', 'pending', false)
    if (typeof block === 'object' && block !== null && 'timestamp' in block && 'baseFeePerGas' in block) {
      return { timestamp: Number(block.timestamp), baseFee: BigInt(String(block.baseFeePerGas)) }
    }
    throw new SandboxError('rpc_refused', 'The node has no pending block.')
  }

  async function setNextBaseFee(wei: bigint): Promise<void> {
    await rpc.call('anvil_setNextBlockBaseFeePerGas', quantity(wei))
  }

  async function credit(address: Address, amount: bigint): Promise<void> {
    const slots = [usdcBalanceSlot(address), usdcSupplySlot]
    const words = await rpc.batch(slots.map((slot) => ['eth_getStorageAt', usdcAddress, slot, 'latest']))
    await rpc.batch(
      slots.map((slot, i) => ['anvil_setStorageAt', usdcAddress, slot, word(BigInt(String(words[i])) + amount)]),
    )
  }

  return {
    fund: (address, amount) => oneAtATime(() => credit(address, amount)),
    async allow(address, spender, amount) {
      await rpc.call('anvil_setStorageAt', usdcAddress, usdcAllowanceSlot(address, spender), word(amount))
    },
    async balance(address, token = usdcAddress) {
      const call = { to: token, data: `${balanceOf}${word(address).slice(2)}` }
      return BigInt(String(await rpc.call('eth_call', call, 'latest')))
    },
    async nativeBalance(address) {
      return BigInt(String(await rpc.call('eth_getBalance', address, 'latest')))
    },
    async mine(blocks = 1) {
      await rpc.call('anvil_mine', quantity(blocks))
    },
    setAutomine: (on) => setMining({ automine: on }),
    setIntervalMining: (seconds) => setMining({ seconds }),
    async warp(seconds) {
      await rpc.call('evm_increaseTime', seconds)
      await rpc.call('anvil_mine', '0x1')
    },
    now: async () => (await nextBlock()).timestamp,
    async snapshot() {
      const { timestamp, baseFee } = await nextBlock()
      const before = { mining, lead: timestamp - seconds(clock()) }
      let id = await rpc.call('evm_snapshot')
      return async () => {
        await rpc.call('anvil_dropAllTransactions')
        const reverted = await rpc.call('evm_revert', id)
        if (reverted !== true) throw new SandboxError('rpc_refused', 'The node no longer has this snapshot.')
        id = await rpc.call('evm_snapshot')
        await rpc.call('evm_setTime', seconds(clock()) + before.lead)
        await setNextBaseFee(baseFee)
        if (mining !== before.mining) await setMining(before.mining)
      }
    },
    async reorg(depth) {
      await rpc.call('anvil_reorg', depth, [])
    },
    async dropTransaction(hash) {
      await rpc.call('anvil_dropTransaction', hash)
    },
    setNextBaseFee,
    async setCode(address, code) {
      await rpc.call('anvil_setCode', address, code)
    },
  }
}

type MiningMode = { readonly automine: boolean } | { readonly seconds: number }

const balanceOf = '0x70a08231'

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1_000)
}
