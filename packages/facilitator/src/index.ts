export { createFacilitator } from './facilitator.js'
export type { Fault } from './fault.js'
export {
  createFacilitatorApp,
  type FacilitatorAppOptions,
  type ServedFacilitator,
  type ServeOptions,
  serveFacilitator,
} from './http.js'
export type { FacilitatorOptions, FacilitatorService, Health, HealthReason, StoredSettlement } from './service.js'
