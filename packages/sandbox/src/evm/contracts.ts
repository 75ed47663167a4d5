import type { Address, Hex } from 'viem'
import * as escrow from '../generated/escrow.js'
import { permit2Abi, permit2Creation } from '../generated/permit2.js'
import * as x402 from '../generated/x402.js'
import { SandboxError } from '../sandbox-error.js'
import { withAddresses } from './creation.js'
import type { JsonRpc, RpcRequest } from './json-rpc.js'
import { multicall3Address } from './multicall3.js'

const permit2: Address = '0x000000000022D473030F116dDEE9F6B43aC78BA3'
const settlement: Address = '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003'
const authCapture: Address = '0xf96815976523E00e65Be8f34cA5e64b4f41EB19c'

/**
 * The contracts of x402's EVM schemes, on every sandbox chain at the addresses that they have on public ones: what a
 * payer signs names an address, so it is the same here. Each has `address` and `abi`, as viem wants them.
 *
 * Permit2 is Uniswap's own. The others are ours, with the interfaces, typed data and behaviour of the deployed ones.
 *
 * @example
 * ```ts
 * const { x402BatchSettlement } = chain.contracts
 * await chain.client.readContract({ ...x402BatchSettlement, functionName: 'channels', args: [channelId] })
 * ```
 */
export const evmContracts = {
  permit2: { address: permit2, abi: permit2Abi },
  /** `exact` by Permit2: anybody may settle, to the signed recipient. */
  x402ExactPermit2Proxy: { address: '0x402085c248EeA27D92E8b30b2C58ed07f9E20001', abi: x402.exactPermit2ProxyAbi },
  /** `upto` by Permit2: only the signed facilitator, any amount up to the signed one. */
  x402UptoPermit2Proxy: { address: '0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002', abi: x402.uptoPermit2ProxyAbi },
  /** `batch-settlement`: deposits, vouchers, claims, refunds, withdrawals. */
  x402BatchSettlement: { address: settlement, abi: x402.batchSettlementAbi },
  erc3009DepositCollector: {
    address: '0x4020806089470a89826cB9fB1f4059150b550004',
    abi: x402.erc3009DepositCollectorAbi,
  },
  permit2DepositCollector: {
    address: '0x4020425FAf3B746C082C2f942b4E5159887B0005',
    abi: x402.permit2DepositCollectorAbi,
  },
  /** `auth-capture`, interface 1.1. */
  authCaptureEscrow: { address: authCapture, abi: escrow.authCaptureEscrowAbi },
  authCaptureEip3009Collector: {
    address: '0x8612dfdc421f80336cd14E8EF9cb1E765dB5ab88',
    abi: escrow.eip3009PaymentCollectorAbi,
  },
  authCapturePermit2Collector: {
    address: '0xD69831Aed5bfe262067ec4c751f4F830EcdD446e',
    abi: escrow.permit2PaymentCollectorAbi,
  },
  authCaptureRefundCollector: {
    address: '0x7a03443724d14798c4AB4622F1DAAcA761Fea486',
    abi: escrow.operatorRefundCollectorAbi,
  },
} as const satisfies Record<string, { readonly address: Address; readonly abi: readonly unknown[] }>

/** The contracts of a sandbox chain, by name; see {@link evmContracts}. */
export type EvmContracts = typeof evmContracts

/**
 * Runs every constructor at the address where its contract belongs and keeps the code it returns, so that what a
 * constructor learns of its address and its chain is right. Throws `rpc_refused`.
 */
export async function placeContracts(rpc: JsonRpc): Promise<void> {
  const places = Object.entries(creations).map(([name, creation]) => ({
    address: evmContracts[name as keyof EvmContracts].address, // Object.entries forgets the names
    creation,
  }))
  const runtimes = await rpc.batch(
    places.map(({ address, creation }) => ['eth_call', { to: address }, 'latest', { [address]: { code: creation } }]),
  )
  await rpc.batch(
    places.map(({ address }, i): RpcRequest => {
      const runtime = runtimes[i]
      if (typeof runtime !== 'string' || runtime.length <= 2) {
        throw new SandboxError('rpc_refused', `The node made no code for ${address}.`)
      }
      return ['anvil_setCode', address, runtime]
    }),
  )
}

const creations: Record<keyof EvmContracts, Hex> = {
  permit2: permit2Creation,
  x402ExactPermit2Proxy: withAddresses(x402.exactPermit2ProxyCreation, permit2),
  x402UptoPermit2Proxy: withAddresses(x402.uptoPermit2ProxyCreation, permit2),
  x402BatchSettlement: x402.batchSettlementCreation,
  erc3009DepositCollector: withAddresses(x402.erc3009DepositCollectorCreation, settlement),
  permit2DepositCollector: withAddresses(x402.permit2DepositCollectorCreation, settlement, permit2),
  authCaptureEscrow: escrow.authCaptureEscrowCreation,
  authCaptureEip3009Collector: withAddresses(escrow.eip3009PaymentCollectorCreation, authCapture, multicall3Address),
  authCapturePermit2Collector: withAddresses(
    escrow.permit2PaymentCollectorCreation,
    authCapture,
    permit2,
    multicall3Address,
  ),
  authCaptureRefundCollector: withAddresses(escrow.operatorRefundCollectorCreation, authCapture),
}
