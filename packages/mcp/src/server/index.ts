export { metaKeys } from '../wire.js'
export type { ToolInput } from './listing.js'
export {
  type Call,
  type CallPrice,
  type CallRoute,
  type Extra,
  type McpPaywall,
  type McpPaywallOptions,
  type PaidExtra,
  paywall,
  type ResourceCallback,
  type ToolCallback,
  type ToolRoute,
} from './paywall.js'
