export { extensionUris, metadataKeys, type PaymentStatus } from '../wire.js'
export { x402Extensions } from './card.js'
export { type A2aPaymentError, errorWord } from './error-words.js'
export { type A2aPaywall, type AgentRoute, type PaidExecutor, paywall } from './paid-agent.js'
