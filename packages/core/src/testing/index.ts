export * from './arbitraries.js'
export * from './copying-fetch.js'
export * from './hostile.js'
