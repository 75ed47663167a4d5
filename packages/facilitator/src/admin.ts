export { type AdminAppOptions, createAdminApp } from './admin/admin-app.js'
export type { PaymentAttempt } from './admin/attempts.js'
export { createJournalView, type JournalView, type PaymentRow } from './admin/journal-view.js'
export {
  type ChainOverview,
  createOverview,
  type LaneOverview,
  type Overview,
  type OverviewOptions,
} from './admin/overview.js'
export type { LaneRow, ReplicaRow, ReplicaView } from './admin/replica-view.js'
