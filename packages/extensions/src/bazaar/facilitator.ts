export { bazaarExtension } from './extension.js'
export { type Listing, type ListingFlaw, type ReadListing, readDeclaration, readListing } from './listing.js'
export { isRouteTemplate, parametersOf, routeTemplate } from './route-template.js'
export { plainText, type ServiceWords, serviceWords } from './service-words.js'
