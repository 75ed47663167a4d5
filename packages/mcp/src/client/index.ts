export {
  type CallOptions,
  type McpClient,
  type PayingClient,
  type PayingClientOptions,
  payingClient,
} from './paying-client.js'
