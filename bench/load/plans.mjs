import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '@groat/sandbox'
import { COPIES } from './runs.mjs'
import { SAMPLES_A_MINUTE } from './samples.mjs'
import { startWorld } from './world.mjs'

/** What the runs of the load plan do, by name. Each starts what it needs, ends with an audit, and stops what it started. */
export const plans = {
  L3: ({ payments }) =>
    inWorld({ signers: 1 }, async (world, say) => {
      const shop = await world.startShop()
      const late = []
      const copies = payments * COPIES
      let answered = 0
      say(() => `signing payments for the shop; ${world.progress()}`)
      const forShop = await shop.signed(payments)
      say(() => `at the shop: ${late.length} of ${copies} copies served; ${world.progress()}`)
      await inLots(forShop, 8, async (headers) => {
        const visits = Array.from({ length: COPIES }, async () => {
          const begin = performance.now()
          await untilServed(shop, headers)
          late.push(performance.now() - begin)
        })
        await Promise.all(visits)
      })
      const runs = await shop.runs()
      const places = new Map()
      say(() => `signing payments for the facilitator; ${world.progress()}`)
      const bodies = await many(payments, world.sign)
      say(() => `at the facilitator: ${answered} of ${copies} copies settled; ${world.progress()}`)
      await inLots(bodies, 8, async (body) => {
        const copy = async () => {
          const answer = await untilSettled(world, body)
          answered++
          return answer
        }
        const answers = await Promise.all(Array.from({ length: COPIES }, copy))
        places.set(body, new Set(answers.map(({ transaction, payer }) => `${transaction} ${payer}`)).size)
      })
      const alone = [...places.values()].filter((count) => count === 1).length
      say(() => 'holding the journal against the chain')
      const audited = await world.audit()
      return {
        laws: {
          ...audited.laws,
          'the work of every payment was done once': expected(runs, payments),
          'all copies were told the same': expected(alone, payments),
          'every payment settled once': expected(audited.settled, 2 * payments),
        },
        figures: { 'served p50, p99 (ms)': percentiles(late), transactions: audited.transactions },
      }
    }),
  L5: ({ seconds, rate }) =>
    steady({ seconds, rate, blockSeconds: 1, replicas: 2, signers: 4, within: { p50: 1_800, p99: 4_000 } }),
  L6: ({ payments }) =>
    inWorld({ blockSeconds: 1, signers: 2 }, async (world) => {
      const bodies = await many(payments, world.sign)
      const begin = performance.now()
      await Promise.all(bodies.map((body) => untilSettled(world, body)))
      const took = performance.now() - begin
      const audited = await world.audit()
      return {
        laws: {
          ...audited.laws,
          'all of them settled': expected(audited.settled, payments),
          'in 20 seconds': { ok: took < 20_000, said: `${Math.round(took)} ms` },
        },
        figures: { transactions: audited.transactions },
      }
    }),
  L9: ({ seconds, rate }) =>
    steady({ seconds, rate, blockSeconds: 1, replicas: 1, signers: 1, within: { recovery: 10_000 } }),
  S1: ({ seconds, rate }) =>
    steady({
      ...{ seconds, rate, blockSeconds: 1, replicas: 1, signers: 2, verifies: 10, malformed: 0.01 },
      // What fills up in its first ten minutes is no leak: as many payments go before it, as fast as they can.
      earlier: 9_000,
      within: { growth: 1, files: 1, memory: 600 },
    }),
  S2: ({ seconds, rate, seed }) =>
    steady({
      seconds,
      rate,
      blockSeconds: 1,
      replicas: 2,
      signers: 2,
      chaos: { seed },
      options: { watchInterval: 500 },
      within: { unknownP99: 45_000, unknownMost: 180_000, recovery: 30_000 },
    }),
  S3: ({ seconds, seed }) => simulate(seconds, seed),
  C1: ({ seconds, rate }) => capacity(seconds, rate),
  S5: ({ payments }) => restart(payments),
}

/** So much a second for so long, come what may. `within`: how much of what is measured is allowed; times in milliseconds. */
async function steady({ seconds, rate, verifies = 0, malformed = 0, chaos, earlier = 0, within = {}, ...shape }) {
  return inWorld(shape, async (world, say) => {
    if (earlier > 0) await settleEarlier(world, earlier)
    const end = Date.now() + seconds * 1000
    const late = []
    const work = []
    let presented = 0
    let refusals = 0
    let withoutAdvice = 0
    say(() => {
      const left = Math.max(0, Math.round((end - Date.now()) / 1000))
      return `${late.length} settled, ${presented - late.length} under way, ${refusals} refusals, ${left} s left`
    })
    const stopChaos = chaos === undefined ? () => {} : startChaos(world, chaos)
    while (Date.now() < end) {
      // Open loop: what is late does not hold up what comes after it.
      const begin = performance.now()
      const body = await world.sign()
      presented++
      work.push(
        untilSettled(world, body, (answer) => {
          if (answer === undefined || answer.status < 400) return
          refusals++
          if (answer.status >= 429 && answer.retryAfter === undefined) withoutAdvice++
        }).then(() => void late.push(performance.now() - begin)),
      )
      for (let more = 0; more < verifies; more++) work.push(world.present(body, '/verify'))
      if (Math.random() < malformed) work.push(world.present('{"paymentPayload":[]}'))
      await sleep(Math.max(0, 1000 / rate - (performance.now() - begin)))
    }
    await stopChaos()
    const backlog = Date.now()
    await Promise.all(work)
    const drained = Date.now() - backlog
    say(world.progress)
    await sleep(1500)
    const audited = await world.audit()
    const [p50, p99] = [shareOf(late, 0.5), shareOf(late, 0.99)]
    const unknown = { p99: shareOf(audited.waited, 0.99), most: Math.max(0, ...audited.waited) }
    return {
      laws: {
        ...audited.laws,
        ...atMost('half settle within (ms)', p50, within.p50),
        ...atMost('99 of 100 settle within (ms)', p99, within.p99),
        ...atMost('99 of 100 outcomes are known within (ms)', unknown.p99, within.unknownP99),
        ...atMost('every outcome is known within (ms)', unknown.most, within.unknownMost),
        ...atMost('what is left is done within (ms)', drained, within.recovery),
        ...atMost('memory grows by no more than (MiB a minute)', audited.growth, within.growth),
        ...atMost('open files grow by no more than (a minute)', audited.files, within.files),
        ...atMost('no process takes more memory than (MiB)', Math.max(...audited.memory), within.memory),
        'every payment settled once': expected(audited.settled, earlier + late.length),
        'every refusal says when to come again': { ok: withoutAdvice === 0, said: `${refusals} refusals` },
      },
      figures: {
        'settled p50, p99 (ms)': percentiles(late),
        'payments a transaction': (audited.settled / audited.transactions).toFixed(2),
        'backlog after the end (ms)': drained,
        'memory grows by (MiB a minute)': audited.growth.toFixed(2),
        'memory every minute (MiB)': audited.memory.filter((_, at) => at % SAMPLES_A_MINUTE === 0).join(' '),
      },
    }
  })
}

/** Payments that are not measured. */
async function settleEarlier(world, count) {
  console.log(`        ${count} payments first, unmeasured`)
  const bodies = await many(count, world.sign)
  await inLots(bodies, 128, async (body) => {
    await world.present(body, '/verify')
    await untilSettled(world, body)
  })
  world.measure()
}

/** Faults in the order that a seed gives; the last one is undone. */
function startChaos(world, { seed }) {
  const random = seededRandom(seed)
  let stopped = false
  const { chain } = world
  const faults = [
    () => chain.setNextBaseFee(BigInt(Math.floor(2e9 + random() * 8e9))),
    async () => {
      await chain.setIntervalMining(0)
      await sleep(3000)
      await chain.setIntervalMining(1)
    },
    async () => {
      const pool = await chain.client.getTxpoolContent()
      const [first] = Object.values(pool.pending).flatMap((byNonce) => Object.values(byNonce))
      if (first !== undefined) await chain.dropTransaction(first.hash)
    },
    () => chain.reorg(1 + Math.floor(random() * 2)),
  ]
  async function kill() {
    const alive = world.children.filter((each) => each.isAlive())
    const victim = alive[Math.floor(random() * alive.length)]
    if (victim === undefined) return
    await victim.stop('SIGKILL')
    await world.startReplica()
  }
  const run = (async () => {
    for (let second = 1; !stopped; second++) {
      await sleep(1000)
      if (stopped) return
      if (second % 60 === 0) await kill()
      else if (second % 20 === 0) await faults[Math.floor(random() * faults.length)]().catch(() => undefined)
    }
  })()
  return async () => {
    stopped = true
    await run
    await chain.setIntervalMining(1)
  }
}

/** The simulator says itself what it found; its end is the law. */
async function simulate(seconds, seed) {
  const more = ['--seconds', String(seconds), '--seeds', '1000000', '--seed', String(seed)]
  const child = fromSource('simulator/main.ts', more, 'inherit')
  const [code] = await once(child, 'exit')
  return { laws: { 'no seed breaks a law': { ok: code === 0, said: `exit ${code}` } }, figures: {} }
}

/** The capacity model of docs/scale.md, held against the engine: one lane under more than it can carry, then all of them with what they can. */
async function capacity(seconds, rate) {
  const lane = { blockSeconds: 2, groups: 100, depth: 4 }
  const model = (lane.depth * lane.groups) / lane.blockSeconds
  const full = await measure({ ...lane, chains: 1, lanes: 1, rate: 1.5 * model, seconds: 60 })
  const many = await measure({ ...lane, chains: 50, lanes: 2, rate, seconds })
  const { payments, settled, lateness } = many
  const each = (count) => (count / payments).toFixed(2)
  const blocks = lateness.p99 / 1000 / lane.blockSeconds
  return {
    laws: {
      'every payment settled': expected(settled, payments),
      'a lane carries depth × group ÷ block time, within a tenth': {
        ok: Math.abs(full.rate - model) < model / 10,
        said: `${full.rate.toFixed(0)} of ${model} a second`,
      },
      '99 of 100 settle within 3 blocks': { ok: blocks < 3, said: `${blocks.toFixed(1)} blocks` },
    },
    figures: {
      'settled after p50, p99 (virtual ms)': `${lateness.p50}, ${lateness.p99}`,
      'payments in a transaction': (payments / many.transactions).toFixed(1),
      'rows, commits a payment': `${each(many.rows)}, ${each(many.commits)}`,
      'processor of engine and journal (ms a payment)': each(many.processorMs),
    },
  }
}

async function measure(options) {
  const child = fromSource('capacity/main.ts', [JSON.stringify(options)], ['ignore', 'pipe', 'inherit'])
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error('What measures the capacity ended by itself')
  return JSON.parse(said)
}

/** A program among the facilitator's tests. */
function fromSource(program, args, stdio) {
  const file = (path) => fileURLToPath(new URL(`../../packages/facilitator/test/${path}`, import.meta.url))
  const ends = new URL('../../scripts/lib/end-with-parent.mjs', import.meta.url).href
  const source = ['--import', ends, '--conditions=source', '--import', file('child/register.mjs'), file(program)]
  return spawn(process.execPath, [...source, ...args], { stdio })
}

async function restart(payments) {
  return inWorld({ signers: 1, replicas: 1, options: { depth: 4 } }, async (world) => {
    await world.chain.setAutomine(false)
    const bodies = await many(payments, world.sign)
    for (const body of bodies) void world.present(body)
    await sleep(Math.max(5000, payments))
    const [first] = world.children
    await first.stop('SIGKILL')
    const begin = performance.now()
    await world.startReplica()
    const ready = performance.now() - begin
    await world.chain.setIntervalMining(1)
    await inLots(bodies, 64, (body) => untilSettled(world, body))
    const audited = await world.audit()
    return {
      laws: {
        ...audited.laws,
        'every payment settled once': expected(audited.settled, payments),
        'ready in 60 seconds': { ok: ready < 60_000, said: `${Math.round(ready)} ms` },
      },
      figures: { transactions: audited.transactions },
    }
  })
}

/** Says every ten seconds how far the world is, or what `run` has to say of that from some moment on. */
async function inWorld(shape, run) {
  const world = await startWorld(shape)
  let said = world.progress
  const timer = setInterval(() => console.log(`        ${said()}`), 10_000)
  try {
    return await run(world, (other) => {
      said = other
    })
  } finally {
    clearInterval(timer)
    await world.close()
  }
}

/** The same payment again and again, never another one, until it is settled. */
async function untilSettled(world, body, onAnswer = () => {}) {
  for (;;) {
    const answer = await world.present(body)
    onAnswer(answer)
    if (answer?.body?.success === true) return answer.body
    if (answer !== undefined && answer.status === 200 && answer.body.errorReason !== 'settlement_pending') {
      throw new Error(`refused: ${JSON.stringify(answer.body)}`)
    }
    await sleep(answer?.retryAfter === undefined ? 100 : 300)
  }
}

/** The same payment to a shop, until it serves. */
async function untilServed(shop, headers) {
  for (;;) {
    const answer = await shop.visit(headers)
    if (answer?.status === 200) return
    if (answer?.status === 402) throw new Error(`refused: ${JSON.stringify(answer.body)}`)
    await sleep(100)
  }
}

async function many(count, make) {
  const made = []
  for (let at = 0; at < count; at++) made.push(await make())
  return made
}

async function inLots(items, atOnce, work) {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

function expected(actual, wanted) {
  return { ok: actual === wanted, said: `${actual} of ${wanted}` }
}

/** A law where the plan sets a bound, and none elsewhere. */
function atMost(law, actual, most) {
  return most === undefined
    ? {}
    : { [law]: { ok: actual <= most, said: `${Math.round(actual * 100) / 100} of ${most}` } }
}

function percentiles(numbers) {
  return `${shareOf(numbers, 0.5)}, ${shareOf(numbers, 0.99)}`
}

function shareOf(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}
