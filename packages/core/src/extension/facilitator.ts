import type { JsonObject } from '../model/json.js'
import type { Settlement } from '../model/outcome.js'
import type { PaymentPayload, PaymentRequirements } from '../model/payment.js'
import type { ExtensionHalf } from './extension.js'

/**
 * The facilitator's half of an extension: it sees payments and changes nothing about them. Its key stands in what the facilitator says of
 * itself (`/supported`).
 */
export interface ExtensionFacilitator extends ExtensionHalf {
  /**
   * Told of a payment that names the key, once it was verified as good or is settled. What it answers is said to the resource server in `EXTENSION-RESPONSES`;
   * a throw is a fault for the operator and no part of the outcome (EXT-007). Everything in the payment is the client's word.
   */
  observe(seen: ObservedPayment): JsonObject | undefined | Promise<JsonObject | undefined>
}

/** A payment, for looking at. */
export type ObservedPayment =
  | { readonly during: 'verify'; readonly payment: PaymentPayload; readonly requirements: PaymentRequirements }
  | {
      readonly during: 'settle'
      readonly payment: PaymentPayload
      readonly requirements: PaymentRequirements
      readonly settlement: Extract<Settlement, { readonly status: 'settled' }>
    }
