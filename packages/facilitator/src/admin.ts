export { type AdminAppOptions, createAdminApp } from './admin/admin-app.js'
export { createJournalView, type JournalView, type LaneRow, type PaymentRow } from './admin/journal-view.js'
export {
  type ChainOverview,
  createOverview,
  type LaneOverview,
  type Overview,
  type OverviewOptions,
} from './admin/overview.js'
