export { createLog, type FacilitatorLog, type LogOptions, type ShortHour } from './observe/log.js'
export { createMetrics, type Metrics } from './observe/metrics.js'
export { type ErrorRecord, errorRecord, scrub } from './observe/secrets.js'
export { withTracing } from './observe/trace.js'
