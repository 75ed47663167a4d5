export {
  type Access,
  type AccessLimits,
  type AccessOptions,
  createAccess,
  type Denial,
} from './http/access.js'
export { createFacilitatorApp, type FacilitatorAppOptions } from './http/app.js'
export { createOpenApi, type OpenApiDocument } from './http/openapi.js'
export { type ServedFacilitator, type ServeOptions, serveApp, serveFacilitator } from './http/serve.js'
