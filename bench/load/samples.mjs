import { readdir } from 'node:fs/promises'

/** Milliseconds between two looks at a process. */
const EVERY = 5_000

/** How often a minute each process is looked at. */
export const SAMPLES_A_MINUTE = 60_000 / EVERY

/**
 * Looks at processes now and then: their memory, their open files, how long they answered nobody. What it found is judged at the end, without
 * the first tenth of the time, in which everything is still being filled.
 */
export function watchProcesses(children) {
  const samples = []
  let looking = Promise.resolve()
  const look = async () => {
    for (const each of children()) {
      const figures = await each.figures()
      if (figures === undefined) continue
      const files = await readdir(`/proc/${each.child.pid}/fd`).then(
        (names) => names.length,
        () => undefined,
      )
      samples.push({ at: Date.now(), pid: each.child.pid, files, ...figures })
    }
  }
  const timer = setInterval(() => {
    looking = looking.then(look)
  }, EVERY)
  return {
    /** What was seen so far does not count. */
    restart: () => samples.splice(0),
    async end() {
      clearInterval(timer)
      await looking
      await look()
      return summarize(samples)
    },
  }
}

function summarize(samples) {
  const most = (values) => Math.max(0, ...values)
  return {
    process: {
      unhandled: most(samples.map(({ unhandled }) => unhandled)),
      longestBlockMs: Math.round(most(samples.map(({ longestBlockMs }) => longestBlockMs))),
      memoryMiB: samples.map(({ memoryMiB }) => Math.round(memoryMiB)),
    },
    /** Of the process that grew most, among those that lived long enough to say. */
    growth: most(slopes(samples, ({ memoryMiB }) => memoryMiB)),
    memory: samples.map(({ memoryMiB }) => Math.round(memoryMiB)),
    files: most(slopes(samples, ({ files = 0 }) => files)),
  }
}

/** How much a figure grows a minute in each process, by least squares. */
function slopes(samples, read) {
  const byProcess = groupBy(samples)
  return [...byProcess.values()].flatMap((all) => {
    const mine = all.slice(Math.ceil(all.length / 10))
    if (mine.length < 12) return []
    const minutes = mine.map(({ at }) => at / 60_000)
    const values = mine.map(read)
    const [x, y] = [mean(minutes), mean(values)]
    const up = minutes.reduce((sum, each, i) => sum + (each - x) * (values[i] - y), 0)
    return [up / minutes.reduce((sum, each) => sum + (each - x) ** 2, 0)]
  })
}

function groupBy(samples) {
  const groups = new Map()
  for (const each of samples) groups.set(each.pid, [...(groups.get(each.pid) ?? []), each])
  return groups
}

const mean = (values) => values.reduce((sum, each) => sum + each, 0) / values.length
