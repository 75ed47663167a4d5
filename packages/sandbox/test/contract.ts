import {
  type Abi,
  type Address,
  decodeErrorResult,
  encodeFunctionData,
  getAddress,
  type Hex,
  hexToBigInt,
  numberToHex,
  parseAbi,
  parseEventLogs,
  parseSignature,
  serializeSignature,
  type TransactionReceipt,
} from 'viem'
import { evmContracts } from '../src/evm/contracts.js'
import { createJsonRpc } from '../src/evm/json-rpc.js'
import { selfBatchAbi } from '../src/generated/batching.js'
import {
  allowedCalldataEnforcerAbi,
  delegationManagerAbi,
  erc20PaymentLimitEnforcerAbi,
  erc20TransferAmountEnforcerAbi,
  hostileDelegationManagerAbi,
  timestampEnforcerAbi,
} from '../src/generated/delegation.js'
import { hostileTokenAbi } from '../src/generated/tokens.js'
import { walletAbi } from '../src/generated/wallets.js'
import { type EvmRole, SandboxError, usdcAbi, usdcAddress } from '../src/index.js'
import type { useChain } from './kit.js'

export type Contract = { readonly address: Address; readonly abi: Abi }

/** Everything that any contract of the sandbox can say, so that a caller need not know who said it. */
export const everyAbi: Abi = [
  ...Object.values(evmContracts).flatMap(({ abi }): Abi => abi),
  ...hostileTokenAbi,
  ...walletAbi,
  ...delegationManagerAbi,
  ...erc20TransferAmountEnforcerAbi,
  ...erc20PaymentLimitEnforcerAbi,
  ...timestampEnforcerAbi,
  ...allowedCalldataEnforcerAbi,
  ...hostileDelegationManagerAbi,
  ...selfBatchAbi,
  ...usdcAbi,
  ...parseAbi(['error OnlyEscrow()']), // of a token store, which has no ABI of its own
]
const everyError = everyAbi.filter(({ type }) => type === 'error')
const everyEvent = everyAbi.filter(({ type }) => type === 'event')

/** The token that everybody starts with. */
export const usdcToken: Contract = { address: usdcAddress, abi: usdcAbi }

/** Calls and transactions by name on the chain of a test file. */
export function useContracts(on: ReturnType<typeof useChain>) {
  /** Sends a transaction and returns its receipt. */
  async function send(role: EvmRole, { address, abi }: Contract, functionName: string, args: readonly unknown[]) {
    const data = encodeFunctionData({ abi, functionName, args })
    const receipt = await on.mined(on.wallet(role).sendTransaction({ to: address, data, gas: 3_000_000n }))
    if (receipt.status !== 'success') throw new Error(`${functionName} reverted on chain`)
    return receipt
  }

  return {
    send,
    /** What a call reverts with: an error's name, a reason, or `nothing` when it goes through. */
    async refusal(role: EvmRole, { address, abi }: Contract, functionName: string, args: readonly unknown[]) {
      const from = on.chain.account(role).address
      const data = encodeFunctionData({ abi, functionName, args })
      const gas = numberToHex(10_000_000)
      try {
        await createJsonRpc(on.chain.rpcUrl).call('eth_call', { from, to: address, data, gas }, 'latest')
        return 'nothing'
      } catch (error) {
        return reasonOf(error)
      }
    },
    /** Lets Permit2 take an account's tokens; USDC unless told. */
    approvePermit2: (role: EvmRole, token: Contract = usdcToken, amount = 2n ** 256n - 1n) =>
      send(role, token, 'approve', [evmContracts.permit2.address, amount]),
    read: (contract: Contract, functionName: string, args: readonly unknown[] = []) =>
      on.chain.client.readContract({ ...contract, functionName, args }),
    account: (role: EvmRole) => on.chain.account(role).address,
  }
}

/** The names and arguments of a receipt's events that the contract at `address` wrote. */
export function eventsOf(receipt: TransactionReceipt, address: Address) {
  const logs = receipt.logs.filter((log) => getAddress(log.address) === getAddress(address))
  return parseEventLogs({ abi: everyEvent, logs }).map((log) => [log.eventName, log.args])
}

/** The other signature of the same key over the same digest: n - s. */
export function malleated(signature: Hex): Hex {
  const { r, s, yParity } = parseSignature(signature)
  const other = numberToHex(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n - hexToBigInt(s), {
    size: 32,
  })
  return serializeSignature({ r, s: other, yParity: yParity === 0 ? 1 : 0 })
}

/** EIP-2098: 64 bytes. */
export function compact(signature: Hex): Hex {
  const { r, s, yParity } = parseSignature(signature)
  const high = numberToHex(hexToBigInt(s) | (BigInt(yParity) << 255n), { size: 32 })
  return `0x${r.slice(2)}${high.slice(2)}`
}

/** The same signature with a v of 0 or 1. */
export function bareV(signature: Hex): Hex {
  return `0x${signature.slice(2, 130)}${signature.endsWith('1b') ? '00' : '01'}`
}

function reasonOf(error: unknown): string {
  const cause = SandboxError.is(error) ? error.cause : undefined
  const data = typeof cause === 'object' && cause !== null && 'data' in cause ? cause.data : undefined
  if (typeof data !== 'string' || data.length < 10) {
    const message = typeof cause === 'object' && cause !== null && 'message' in cause ? String(cause.message) : ''
    return /OutOfGas|InvalidFEOpcode/i.test(message) ? 'all gas' : 'no reason'
  }
  const { errorName, args } = decodeErrorResult({ abi: everyError, data: data as Hex }) // a string that long is hex
  return errorName === 'Error' ? String(args?.[0]) : errorName
}
