// Loaded only where the condition `node` holds (`#undici` in package.json), and only by a first call.
export { Agent } from 'undici'
