export { type Catalogue, type CatalogueAnswer, type CatalogueOptions, createCatalogue } from './bazaar/catalogue.js'
export { createProber, type Prober, type ProberOptions } from './bazaar/probe.js'
export { type PayerUse, type Quality, qualityOf } from './bazaar/quality.js'
export {
  type CatalogueFilter,
  type ListQuery,
  parseListQuery,
  parseSearchQuery,
  type SearchQuery,
} from './bazaar/query.js'
export type { CatalogueLimits } from './bazaar/record.js'
export type { ListingCheck, WhyListed, WhyQuery } from './bazaar/why.js'
export { encodeListing } from './bazaar/wire.js'
export { type CatalogueSources, sellersAmong, withCatalogue } from './bazaar/with-catalogue.js'
