import {
  type FacilitatorRequest,
  type Random,
  requirementsId,
  type Settlement,
  sha256Hex,
  X402Error,
} from '@groat/core'
import { type Answer, checkHistory, type Finding, type History, seededRandom } from '@groat/sandbox'
import { openMemoryStore, type Store } from '@groat/store'
import { sql } from 'kysely'
import { type CrashPoint, onCrashpoint } from '../../src/crashpoint.js'
import { MAX_ATTEMPTS } from '../../src/engine/plan.js'
import { createFacilitator, type FacilitatorService } from '../../src/index.js'
import { journalMigrations } from '../../src/journal/migrations.js'
import type { JournalTables } from '../../src/journal/tables.js'
import { ASSET, NETWORK } from '../fake-chain.js'
import { journalRows } from '../record-history.js'
import { createReplica, type Replica } from './replica.js'
import { createScheduler } from './scheduler.js'
import { SimChain } from './sim-chain.js'
import { createSimDriver, createSimScheme, type SimNode } from './sim-node.js'

/** How a run is made. */
export type SimulationOptions = {
  /** Things that happen: payments, faults. */
  readonly steps?: number
  /** What the chain lies about, so that a run has to fail: that payments have settled though they have not. */
  readonly lies?: 'evidence'
  /** No node lags, every signer has gas money, and its key nobody else: so seeds play as they did before there was anything else. */
  readonly isPlain?: boolean
}

/** What a run came to. */
export type Simulation = {
  readonly seed: number
  /** What was broken: laws of the history, faults that are none of the world, payments that came to no end. */
  readonly broken: readonly string[]
  readonly findings: readonly Finding[]
  readonly payments: number
  /** Steps of the state graph, crash points and kinds of faults that were passed. */
  readonly passed: ReadonlySet<string>
  /** Events of the scheduler. */
  readonly events: number
  readonly virtualMs: number
}

const START = Date.UTC(2030, 0, 1)
const SELLERS = ['0x00000000000000000000000000000000000000a1', '0x00000000000000000000000000000000000000a2']
const PAYERS = Array.from({ length: 6 }, (_, at) => `0x00000000000000000000000000000000000000b${at}`)
const SIGNERS = ['0x00000000000000000000000000000000000000f1', '0x00000000000000000000000000000000000000f2']
/** Milliseconds by which the clock of a replica, which its entries go by, may be wrong. */
const SKEW = 1000
/** Milliseconds in which a calm world settles what its payer has the money for: halts and high fees have passed by then. */
const TIME_ENOUGH = 40_000
/** Milliseconds by which nodes are behind at the most, in a run in which some are; and how often those are. */
const LAGS = [300, 1500, 4000]
const LAG_SHARES = [0.1, 0.5, 1]
const POINTS: readonly CrashPoint[] = [
  'FP-01',
  'FP-02',
  'FP-03',
  'FP-04',
  'FP-05',
  'FP-06',
  'FP-07',
  'FP-08',
  'FP-09',
  'FP-10',
  'FP-12',
  'FP-13',
]

/** A database in memory that runs share: it is emptied before each, for making tables costs more than a run. */
export async function openSimulator() {
  let now = START
  const store = await openMemoryStore({ clock: () => now, transactionTimeout: Number.POSITIVE_INFINITY })
  await store.migrate(journalMigrations)

  return {
    close: () => store.close(),
    async simulate(seed: number, options: SimulationOptions = {}): Promise<Simulation> {
      await wipe(store)
      const world = createWorld(seed, options, store, (at) => {
        now = at
      })
      try {
        return await world.run(options.steps ?? 60)
      } finally {
        onCrashpoint(undefined)
      }
    },
  }
}

async function wipe(store: Store): Promise<void> {
  const known = ['outbox', 'event', 'evidence', 'ride', 'request', 'attempt', 'settlement']
  await store.transaction(async (trx) => {
    const { rows } = await sql<{ name: string }>`select name from sqlite_master where type = 'table'`.execute(trx)
    const others = rows.flatMap(({ name }) => (/migration|sqlite_/.test(name) || known.includes(name) ? [] : [name]))
    for (const table of [...others, ...known]) await sql.raw(`delete from ${table}`).execute(trx)
  })
}

function createDice(random: () => number) {
  return {
    pick: <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T,
    chance: (probability: number) => random() < probability,
    between: (from: number, to: number) => from + Math.floor(random() * (to - from + 1)),
  }
}

function createWorld(
  seed: number,
  { lies, isPlain = false }: SimulationOptions,
  store: Store,
  tick: (now: number) => void,
) {
  const random = seededRandom(seed)
  const { pick, chance, between } = createDice(random)
  // What came later draws from here: where none of it happens, a seed plays on as it did.
  const later = createDice(seededRandom(~seed))
  const bytes: Random = (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256))
  const scheduler = createScheduler(random, START)
  const clock = () => {
    tick(scheduler.now)
    return scheduler.now
  }
  const opening = new Map(PAYERS.map((payer) => [payer, BigInt(between(2, 40)) * 1000n]))
  const mostBehind = !isPlain && later.chance(0.4) ? later.pick(LAGS) : 0
  const isGasScarce = !isPlain && later.chance(0.5)
  const isKeyShared = !isPlain && later.chance(0.3)
  const isNetSplit = !isPlain && later.chance(0.4)
  /** What somebody else has signed with a key of ours. */
  const foreign = new Set<string>()
  // Finality takes longer than nodes lag: who ends a payment for good asks one node what is final, and perhaps another for the block.
  const chain = new SimChain(clock, opening, mostBehind)
  const passed = new Set<string>()
  const replicas: (Replica & {
    readonly service: FacilitatorService
    /** The lanes that it knows to be its own, as it tells. */
    readonly lanes: ReadonlySet<string>
  })[] = []
  const answers: Answer[] = []
  const broken: string[] = []
  const presented: { readonly request: FacilitatorRequest; rest: number }[] = []
  /** How rough the world is; at the end it is calm. */
  let trouble = pick([0, 0.02, 0.08])
  let isDatabaseGone = false
  let isDrained = false
  let nonces = 0
  const blockTime = pick([0, 0, 200, 1000, 2000])
  let isHalted = false
  let isCalm = false
  /** Callers come no more. */
  let isOver = false

  function note(what: string): void {
    passed.add(what)
  }

  async function start(): Promise<void> {
    const arms = chance(trouble * 6) ? { point: pick(POINTS), left: between(1, 4) } : undefined
    const replica = createReplica({
      scheduler,
      store,
      delay: () => (chance(trouble) ? between(50, 2500) : chance(0.5) ? 0 : between(1, 20)),
      fault: (where) => {
        if (where === 'store' && isDatabaseGone) return 'before'
        if (!chance(trouble / 2)) return undefined
        note(`fault ${where}`)
        return chance(0.5) ? 'before' : 'after'
      },
      arms,
      clock,
      skew: chance(0.2) ? between(-800, 800) : 0,
    })
    const lie = (nonce: bigint) => {
      if (!chance(trouble)) return nonce
      note('lying nonce')
      return nonce > 2n ? nonce - BigInt(between(1, 2)) : nonce
    }
    const node = {
      reach: replica.reach,
      lie,
      behind: createLag(),
      tellsGas: isGasScarce,
      ...(isNetSplit && { standing: replica.standing }),
    }
    const driver = createSimDriver(chain, SIGNERS, node)
    const lanes = new Set<string>()
    const service = createFacilitator({
      schemes: [createSimScheme(chain, driver, node, lies === 'evidence')],
      store: replica.store,
      clock: replica.clock,
      random: bytes,
      timers: replica.timers,
      onFault: ({ error, during }) => {
        if (!X402Error.is(error))
          broken.push(`fault during ${during}: ${error instanceof Error ? error.stack : String(error)}`)
      },
      onEvent: ({ type, replica: id, signer }) => {
        if (type === 'lane_taken') lanes.add(`${id} ${signer}`)
        if (type === 'lane_left' || type === 'lane_lost') lanes.delete(`${id} ${signer}`)
        if (type === 'lane_left' && replica.standing().state === 'down') note('lane left by who is cut off')
      },
      settleTimeout: 4000,
      stopTimeout: 1000,
      lease: 3000,
      rebroadcast: 1500,
      watchInterval: 400,
      depth: 2,
      outbox: true,
      finality: ({ amount }) => (amount > 2000n ? 2 : 1),
      limits: { openPerPayer: 8, failuresPerPayer: 3 },
    })
    replicas.push({ ...replica, service, lanes })
    const begin = async (): Promise<void> => {
      for (;;) {
        try {
          return await service.start()
        } catch (error) {
          if (!X402Error.is(error)) throw error
          await new Promise<void>((resolve) => void scheduler.after(200, resolve, replica))
        }
      }
    }
    void begin().catch((error) => broken.push(`start: ${error instanceof Error ? error.stack : String(error)}`))
  }

  /** One node is never behind, one now and then, one always. */
  function createLag(): NonNullable<SimNode['behind']> {
    if (mostBehind === 0 || later.chance(0.3)) return () => 0
    const behind = later.between(1, mostBehind)
    const share = later.pick(LAG_SHARES)
    return () => {
      if (isCalm || !later.chance(share)) return 0
      note('node behind')
      return behind
    }
  }

  const living = () => replicas.filter(({ isAlive }) => isAlive())

  onCrashpoint((point) => {
    note(point)
    // What runs now was let in by the event that was fired last.
    const replica = replicas.find((each) => each.life === scheduler.current)
    if (replica?.passes(point) !== true) return
    note(`crash ${point}`)
    replica.kill()
  })

  function pay(): FacilitatorRequest {
    const from = pick(PAYERS)
    const amount = BigInt(between(1, 4)) * 1000n
    const payTo = pick(SELLERS)
    nonces += 1
    const validBefore = Math.floor(scheduler.now / 1000) + pick([15, 60, 120])
    const terms = { scheme: 'exact', network: NETWORK, amount, asset: ASSET, payTo, maxTimeoutSeconds: 120, extra: {} }
    const transfer = {
      from,
      to: payTo,
      value: amount.toString(),
      nonce: `0x${nonces.toString(16).padStart(64, '0')}`,
      validBefore,
    }
    const payload = { ...transfer, signature: chance(0.03) ? 'bad' : 'good' }
    return {
      payment: { x402Version: 2, scheme: 'exact', network: NETWORK, accepted: terms, payload },
      requirements: terms,
    }
  }

  /** Presents a payment somewhere, and again later while the answer is not an end: never another one in its place. */
  function present(request: FacilitatorRequest, rest: number): void {
    if (isOver) return
    const replica = pick(living())
    if (replica === undefined) {
      scheduler.after(500, () => present(request, rest))
      return
    }
    const askedAt = scheduler.now
    const { payment, requirements } = request
    const known = replica.service.inspect({ payment, requirements })
    const pid = known.ok ? known.pid : known.late?.pid
    replica.service
      .settle(request)
      .then(
        (settlement) => {
          if (pid !== undefined) answers.push({ ...answerOf(settlement, pid, request, scheduler.now), askedAt })
          return settlement.status === 'unknown'
        },
        (error) => {
          if (!X402Error.is(error)) broken.push(`settle: ${String(error)}`)
          return true
        },
      )
      .then((again) => {
        if (again && rest > 0) scheduler.after(between(100, 3000), () => present(request, rest - 1))
      })
      .catch((error: unknown) => broken.push(`present: ${String(error)}`))
    // Who was killed answers nothing: the caller hangs up and comes again.
    scheduler.after(6000, () => {
      if (!replica.isAlive() && rest > 0) present(request, rest - 1)
    })
  }

  const mayhem: readonly (readonly [name: string, weight: number, act: () => void])[] = [
    [
      'kill',
      1,
      () => {
        const victim = pick(living())
        victim?.kill()
        scheduler.after(between(50, 4000), () => void start())
      },
    ],
    [
      'stop',
      0.5,
      () => {
        const victim = pick(living())
        if (victim === undefined) return
        void victim.service.stop().then(() => victim.kill())
        scheduler.after(between(50, 2000), () => void start())
      },
    ],
    [
      'another replica',
      0.5,
      () => {
        if (living().length < 3) void start()
      },
    ],
    [
      'pool drop',
      2,
      () => {
        const tx = pick([...chain.pool.keys()])
        if (tx !== undefined) chain.pool.delete(tx)
      },
    ],
    [
      'duplicate',
      1,
      () => {
        const old = pick([...chain.seen.values()])
        if (old !== undefined) chain.accept(old.tx)
      },
    ],
    [
      'reorg',
      1.5,
      () => {
        chain.undo(between(1, 3), () => chance(0.7))
        chain.mine()
      },
    ],
    [
      'gas gone',
      isGasScarce ? 3 : 0,
      () => {
        const signers = pick([chain.dry, chain.short])
        const signer = pick(SIGNERS)
        signers.add(signer)
        scheduler.after(between(500, 20_000), () => void signers.delete(signer))
      },
    ],
    [
      'number taken',
      isKeyShared ? 2 : 0,
      () => {
        const waiting = [...chain.pool.values()].filter((tx) => SIGNERS.includes(tx.signer) && !foreign.has(tx.hash))
        const { signer, nonce } = pick(waiting) ?? freeNumber()
        const raw = JSON.stringify({ signer, nonce: nonce.toString(), at: scheduler.now })
        const hash = sha256Hex(raw)
        foreign.add(hash)
        // More than any of ours may cost: it lands.
        chain.accept({ hash, raw, signer, nonce, maxFee: 3000, call: { transfers: [] } })
      },
    ],
    ['cut off', isNetSplit ? 3 : 0, () => pick(living())?.cutOff(between(500, 20_000), pick([0, 0, 1000, 3000]))],
    [
      'base fee',
      1,
      () => {
        chain.baseFee = pick([10, 15, 40, 90, 600])
        scheduler.after(between(2000, 12_000), () => {
          chain.baseFee = 10
        })
      },
    ],
    [
      'halt',
      0.5,
      () => {
        isHalted = true
        scheduler.after(between(1000, 15_000), () => {
          isHalted = false
        })
      },
    ],
    [
      'database gone',
      0.7,
      () => {
        isDatabaseGone = true
        scheduler.after(between(100, 5000), () => {
          isDatabaseGone = false
        })
      },
    ],
    [
      'stranger',
      1.5,
      () => {
        const { request } = pick(presented) ?? {}
        if (request === undefined) return
        const { signature, ...transfer } = request.payment.payload as never as {
          signature: string
          from: string
          to: string
          value: string
          nonce: string
          validBefore: number
        }
        if (signature !== 'good') return
        const signer = '0x00000000000000000000000000000000000000e1'
        const pooled = [...chain.pool.values()].filter((tx) => tx.signer === signer).length
        const nonce = (chain.state.sequence.get(signer) ?? 0n) + BigInt(pooled)
        const raw = JSON.stringify({ signer, nonce: nonce.toString(), transfer })
        chain.accept({ hash: sha256Hex(raw), raw, signer, nonce, maxFee: 1000, call: { transfers: [transfer] } })
      },
    ],
    [
      'payer empties',
      0.5,
      () => {
        const payer = pick(PAYERS)
        isDrained = true
        chain.take(payer, chain.balance(payer))
      },
    ],
  ]

  function freeNumber() {
    const signer = pick(SIGNERS)
    return { signer, nonce: chain.state.sequence.get(signer) ?? 0n }
  }

  function misfortune(): void {
    let at = random() * mayhem.reduce((total, [, weight]) => total + weight, 0)
    for (const [name, weight, act] of mayhem) {
      at -= weight
      if (at > 0) continue
      note(name)
      act()
      return
    }
  }

  function blocks(): void {
    const tick =
      blockTime === 0 ? (chain.pool.size > 0 ? 1 : 5) : Math.max(50, Math.round(blockTime * (0.5 + random())))
    scheduler.after(tick, () => {
      // An idle chain that mines what it is given makes a block now and then all the same.
      const isDue = blockTime > 0 || chain.pool.size > 0 || scheduler.now - chain.head.time > 1000
      if (!isHalted && isDue) chain.mine()
      blocks()
    })
  }

  async function history(): Promise<History> {
    const journal = await journalRows(store.withTables<JournalTables>().db)
    const { settlement, evidence, event } = journal
    const transfers = chain.blocks.flatMap(({ hash: blockHash, logs }) =>
      logs.flatMap(({ transaction, logIndex, transfer: { from, to, value, nonce } }) => {
        // A stranger may land what was presented and refused, or never taken on: that is nobody's to book.
        const isOurs = evidence.some((row) => row.transaction === transaction && row.log_index === logIndex)
        const isClaimed = settlement.some(
          (row) => row.payer === from && row.state !== 'refused' && row.body.includes(nonce),
        )
        return isOurs || isClaimed
          ? [{ network: NETWORK, transaction, logIndex, blockHash, asset: ASSET, from, to, value }]
          : []
      }),
    )
    const transactions = [...chain.seen.values()].flatMap(({ tx: { hash, signer, raw }, at }) =>
      SIGNERS.includes(signer) && !foreign.has(hash)
        ? [{ network: NETWORK, hash, signer, raw, at: at + 1000, fee: '1' }]
        : [],
    )
    const accounts = [...opening].map(([account, balance]) => ({
      network: NETWORK,
      asset: ASSET,
      account,
      balance: balance.toString(),
    }))
    // Each tells of one undoing: what was undone again had been noticed before.
    const notices = event.filter(({ to_state }) => to_state === 'reorged').sort((a, b) => a.at - b.at)
    const returned = chain.undone.map(({ transfer: { from: account, value: amount, nonce }, from, until }) => {
      const pid = settlement.find(({ payer, body }) => payer === account && body.includes(nonce))?.pid
      const notice = notices.find((each) => each.pid === pid && each.at > from - SKEW)
      if (notice !== undefined) notices.splice(notices.indexOf(notice), 1)
      const end = Math.min(until, notice?.at ?? until)
      return { network: NETWORK, asset: ASSET, account, amount, from: from - SKEW, until: end + SKEW }
    })
    // Heights are all that nodes are told apart by: one that still shows a branch that was given up, and was as high, does not show what has moved since.
    const unseen = chain.givenUp.flatMap(({ at, height }) => {
      const until = at + mostBehind
      const hidden = chain.blocks.filter(({ number, time }) => number <= height && time >= at && time <= until)
      return hidden.flatMap(({ logs, time }) =>
        logs.map(({ transfer: { from: account, value: amount } }) => {
          return { network: NETWORK, asset: ASSET, account, amount, from: time - SKEW, until: until + SKEW }
        }),
      )
    })
    for (const { from_state, to_state } of event) note(`${from_state} → ${to_state}`)
    return {
      journal,
      chain: {
        transfers,
        transactions,
        returned: [...returned, ...unseen],
        ...(isDrained ? {} : { opening: accounts }),
      },
      // What a replica wrote after an answer may have an earlier time.
      answers: answers.map(({ at, askedAt = at, ...rest }) => ({ ...rest, at: at - SKEW, askedAt: askedAt - SKEW })),
    }
  }

  /** The signers whose lanes nobody who lives knows to be theirs. */
  async function lost(): Promise<readonly string[]> {
    const { db } = store.withTables<JournalTables>()
    const rows = await db.selectFrom('lane').select(['signer', 'owner']).execute()
    const isKnown = (owner: string | null, signer: string) =>
      living().some(({ lanes }) => lanes.has(`${owner} ${signer}`))
    return rows.flatMap(({ signer, owner }) => (isKnown(owner, signer) ? [] : [signer]))
  }

  return {
    async run(steps: number): Promise<Simulation> {
      await start()
      await scheduler.run(1000)
      if (chance(0.5)) await start()
      blocks()
      for (let step = 0; step < steps; step++) {
        await scheduler.run(between(0, 400))
        if (trouble > 0 && chance(0.25)) misfortune()
        else if (presented.length > 0 && chance(0.15)) present(pick(presented).request, 3)
        else {
          const request = pay()
          presented.push({ request, rest: 5 })
          present(request, 5)
        }
      }
      // The world calms down: what is open now comes to its end by itself.
      trouble = 0
      isCalm = true
      chain.dry.clear()
      chain.short.clear()
      for (const replica of living()) replica.calm()
      await scheduler.run(7_000)
      isOver = true
      if (living().length === 0) await start()
      const { db } = store.withTables<JournalTables>()
      const open = () =>
        db
          .selectFrom('settlement')
          .select(['pid', 'valid_before'])
          .where('state', 'in', ['claimed', 'signed', 'sent', 'mined', 'reorged'])
      const enough = scheduler.now + TIME_ENOUGH
      const timely = (await open().execute()).filter(({ valid_before }) => valid_before * 1000 > enough)
      for (let round = 0; round < 400 && (await open().execute()).length > 0; round++) await scheduler.run(1000)
      await scheduler.run(3000)
      for (let round = 0; round < 20 && (await lost()).length > 0; round++) await scheduler.run(500)
      for (const signer of await lost()) broken.push(`LIV: nobody looks after the lane of ${signer}`)
      const recorded = await history()
      const expired = await db
        .selectFrom('settlement')
        .select(['pid', 'payer', 'amount'])
        .where('reason', '=', 'payment_expired')
        .execute()
      for (const { pid, payer, amount } of expired) {
        const tries = recorded.journal.ride.filter((each) => each.pid === pid).length
        const isTimely = timely.some((each) => each.pid === pid) && tries < MAX_ATTEMPTS
        if (isTimely && chain.balance(payer) >= BigInt(amount)) broken.push(`LIV: ${pid} expired in a calm world`)
      }
      const findings = checkHistory(recorded)
      for (const { id, status, by } of findings)
        if (status === 'broken') broken.push(`${id}: ${by.slice(0, 3).join(', ')}`)
      for (const replica of living()) replica.kill()
      await scheduler.run(0)
      return {
        seed,
        broken,
        findings,
        payments: presented.length,
        passed,
        ...{ events: scheduler.fired, virtualMs: scheduler.now - START },
      }
    },
  }
}

function answerOf(settlement: Settlement, pid: string, { requirements }: FacilitatorRequest, at: number): Answer {
  const about = { pid, rid: requirementsId(requirements), at, status: settlement.status }
  if (settlement.status !== 'settled') return about
  const { transaction, amount = 0n, extra } = settlement.receipt
  const logIndex = typeof extra?.logIndex === 'number' ? { logIndex: extra.logIndex } : {}
  return { ...about, transaction, amount: amount.toString(), ...logIndex }
}
