export { createApiKey, hashApiKey, isApiKeyHash, type NewApiKey } from './access/api-key.js'
export type { PressureLimits } from './access/pressure.js'
export type { Rate } from './access/quota.js'
export { createTenants, isOrigin, type Scope, scopes, type Tenant } from './access/tenants.js'
export { type ArchiveAudit, type Archived, type ArchiveOptions, archiveJournal, verifyArchives } from './archive.js'
export { type AuditDifference, type AuditOptions, auditJournal, type JournalAudit, type LedgerSum } from './audit.js'
export type { FinalityLevel } from './engine/finality.js'
export { createFacilitator } from './facilitator.js'
export type { Fault } from './fault.js'
export {
  type Access,
  type AccessLimits,
  type AccessOptions,
  createAccess,
  createFacilitatorApp,
  type Denial,
  type FacilitatorAppOptions,
  type ServedFacilitator,
  type ServeOptions,
  serveApp,
  serveFacilitator,
} from './http.js'
export { type EventAudit, type EventHead, verifyEvents } from './journal/audit.js'
export type { DeadDelivery, DeliveryStanding } from './journal/deliveries.js'
export type { Outbox, OutboxMessage, OutboxTopic } from './journal/outbox.js'
export { createLocalList, type LocalListOptions } from './screening/local-list.js'
export type { ScreeningDecision, ScreeningProvider, ScreeningSubject } from './screening/screening.js'
export { type WithScreeningOptions, withScreening } from './screening/with-screening.js'
export type {
  ClaimFor,
  FacilitatorLimits,
  FacilitatorOptions,
  FacilitatorService,
  Health,
  HealthReason,
  PaymentValue,
  SettleOptions,
  StoredSettlement,
  WebhookOptions,
} from './service.js'
export { systemTimers, type Timers } from './timers.js'
export type { CourierTiming, EndpointTurn } from './webhooks/courier.js'
export { createWebhookDesk, type WebhookDesk } from './webhooks/desk.js'
export type { WebhookEndpoint } from './webhooks/endpoint.js'
