// What the load plan starts, with the options of one measurement as JSON: says how far it is, and in the end what it came to as JSON.
import { type CapacityOptions, measureCapacity } from './capacity.js'

const options = JSON.parse(process.argv[2] ?? '{}') as CapacityOptions
let saidAt = performance.now()
const found = await measureCapacity({
  ...options,
  onProgress(settled, all) {
    if (performance.now() - saidAt < 10_000) return
    saidAt = performance.now()
    process.stderr.write(`        ${settled} of ${all} settled\n`)
  },
})
process.stdout.write(JSON.stringify(found))
