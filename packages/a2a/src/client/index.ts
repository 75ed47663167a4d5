export {
  type A2aClient,
  type CallOptions,
  type PayingAgent,
  type PayingAgentOptions,
  payingAgent,
} from './paying-agent.js'
