export {
  checkWebhookTarget,
  createWebhookSender,
  type WebhookOutcome,
  type WebhookSender,
  type WebhookSenderOptions,
  type WebhookTarget,
  webhookDelay,
} from './send.js'
export { signWebhook, verifyWebhook, type WebhookCheck, type WebhookHeaders, type WebhookMessage } from './sign.js'
