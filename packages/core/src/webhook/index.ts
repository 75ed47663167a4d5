export {
  encodeWebhookEvent,
  type OpenWebhookOptions,
  openWebhook,
  type WebhookEvent,
  type WebhookTopic,
} from './event.js'
export {
  checkWebhookTarget,
  createWebhookSender,
  type WebhookAnswer,
  type WebhookOutcome,
  type WebhookSender,
  type WebhookSenderOptions,
  type WebhookTarget,
  webhookDelay,
} from './send.js'
export {
  createWebhookSecret,
  isWebhookSecret,
  signWebhook,
  verifyWebhook,
  type WebhookCheck,
  type WebhookHeaders,
  type WebhookMessage,
} from './sign.js'
