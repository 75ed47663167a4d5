export { metaKeys } from '../wire.js'
export {
  type Call,
  type CallPrice,
  type CallRoute,
  type Extra,
  type McpPaywall,
  type PaidExtra,
  paywall,
  type ResourceCallback,
  type ToolCallback,
} from './paywall.js'
