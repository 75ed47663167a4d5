import { Role, TaskState } from '@a2a-js/sdk'
import { AgentEvent, type AgentExecutor } from '@a2a-js/sdk/server'
import type { PaymentPayload } from '@x402/core/types'
import { officialSeller } from './official-seller.js'

/** An agent that sells its one answer as the extension's text has it, by the official resource server. No official package does it whole. */
export async function officialAgent(facilitatorUrl: string, payTo: string, url: string): Promise<AgentExecutor> {
  const { seller, offers } = await officialSeller(facilitatorUrl, payTo)
  return {
    async execute({ taskId, contextId, userMessage }, bus) {
      const say = (state: TaskState, text: string, metadata: Record<string, unknown>) => {
        const part = {
          content: { $case: 'text' as const, value: text },
          metadata: undefined,
          filename: '',
          mediaType: '',
        }
        const made = { taskId, contextId, role: Role.ROLE_AGENT, parts: [part], extensions: [], referenceTaskIds: [] }
        const message = { ...made, messageId: `${taskId}-${state}`, metadata }
        const status = { state, message, timestamp: undefined }
        const submitted = { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, timestamp: undefined }
        const task = { id: taskId, contextId, artifacts: [], history: [userMessage], metadata: undefined }
        bus.publish(AgentEvent.task({ ...task, status: submitted }))
        bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined }))
      }
      const payment = userMessage.metadata?.['x402.payment.payload'] as PaymentPayload | undefined
      if (payment === undefined) {
        const required = await seller.createPaymentRequiredResponse(
          offers,
          { url, description: '', mimeType: '' },
          'pay',
        )
        const asked = { 'x402.payment.status': 'payment-required', 'x402.payment.required': required }
        return say(TaskState.TASK_STATE_INPUT_REQUIRED, 'Please pay', asked)
      }
      const offer = seller.findMatchingRequirements(offers, payment)
      const verdict = offer && (await seller.verifyPayment(payment, offer))
      if (offer === undefined || !verdict?.isValid) {
        const failed = { 'x402.payment.status': 'payment-failed', 'x402.payment.error': 'INVALID_SIGNATURE' }
        return say(TaskState.TASK_STATE_FAILED, 'Not good', failed)
      }
      const receipt = await seller.settlePayment(payment, offer)
      const paid = { 'x402.payment.status': 'payment-completed', 'x402.payment.receipts': [receipt] }
      say(TaskState.TASK_STATE_COMPLETED, 'sunny', paid)
    },
    async cancelTask() {},
  }
}
