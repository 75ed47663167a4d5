export { createFacilitatorApp, type FacilitatorAppOptions } from './http/app.js'
export { type ServedFacilitator, type ServeOptions, serveFacilitator } from './http/serve.js'
