export { type EvmAccount, type EvmRole, evmAccounts } from './evm/accounts.js'
export { findAnvil } from './evm/anvil.js'
export { type EvmChain, type EvmChainOptions, startEvmChain } from './evm/chain.js'
export type { EvmTestClient } from './evm/client.js'
export { type EvmContracts, evmContracts } from './evm/contracts.js'
export {
  type Delegation,
  type DelegationEnforcers,
  type DelegationManager,
  type DelegationTypedData,
  deployDelegationManager,
  deployHostileDelegationManager,
  type HostileManagerConduct,
} from './evm/delegation.js'
export type { EvmLevers } from './evm/levers.js'
export { multicall3Address } from './evm/multicall3.js'
export {
  deployEip3009Token,
  deployHostileToken,
  deployPermitToken,
  deployPlainToken,
  type EvmToken,
  type HostileConduct,
  type HostileToken,
} from './evm/tokens.js'
export { usdcAddress } from './evm/usdc.js'
export {
  type CounterfactualWallet,
  delegate7702,
  deployDelegatorAccount,
  deployErc1271Delegate,
  deployErc1271Wallet,
  deployGasBurningWallet,
  deployHostileDelegator,
  deployPlainDelegate,
  deployWalletFactory,
  type HostileDelegator,
  type HostileDelegatorConduct,
  type WalletFactory,
} from './evm/wallets.js'
export { selfBatchAbi, selfBatchCreation } from './generated/batching.js'
export { usdcAbi } from './generated/circle.js'
export { checkHistory, type Finding } from './history/check-history.js'
export type {
  Answer,
  AttemptRow,
  ChainHistory,
  ChainTransaction,
  Delivery,
  EventRow,
  EvidenceRow,
  History,
  HistoryLimits,
  JournalHistory,
  SettlementRow,
  Signature,
  Transfer,
  WalletHistory,
  WalletPolicy,
} from './history/history.js'
export { type RpcProxy, type RpcProxyOptions, startRpcProxy } from './rpc-proxy/proxy.js'
export { type RpcCall, type RpcFault, type RpcRule, seededRandom } from './rpc-proxy/rules.js'
export { SandboxError, type SandboxErrorCode } from './sandbox-error.js'
export { createSkewedClock, type SkewedClock } from './skewed-clock.js'
export { type SvmAccount, type SvmRole, svmAccounts } from './svm/accounts.js'
export { type SvmChain, type SvmChainOptions, type SvmNode, startSvmChain } from './svm/chain.js'
export { svmUsdcAddress, writeSvmGenesis } from './svm/genesis.js'
export type { SubmittedTransaction, SvmFate, SvmFateRule } from './svm/leader.js'
export type { SvmAccountState, SvmLevers } from './svm/levers.js'
export { startTcpProxy, type TcpFault, type TcpProxy, type TcpProxyOptions } from './tcp-proxy/proxy.js'
