import fc from 'fast-check'
import { both } from '../model/check.js'
import { expectSame, expectThat } from '../model/finding.js'
import { property, sequences } from '../model/property.js'
import { expectSettled, type Receipt } from './answers.js'
import { type FacilitatorCheck, fewer } from './check.js'
import { expectMoved, type FacilitatorStage, type Scene } from './stage.js'

/** What is known of the payments of a sequence. */
type Known = { readonly payments: Payment[]; reorganised: boolean }
type Payment = { readonly scene: Scene; settled: boolean }
type Command = fc.AsyncCommand<Known, FacilitatorStage>

const mostPayments = 3

/** Sequences and races. */
export const facilitatorModels: readonly FacilitatorCheck[] = [
  {
    id: 'FAC-031/sequences',
    role: 'facilitator',
    kind: 'model',
    title:
      'whatever is asked in whatever order, and whatever blocks a chain takes back, a payment moves value once at most',
    families: both,
    // It takes blocks back, and with them what others did.
    alone: true,
    run: (stage) =>
      sequences(fewer(stage, { by: 25, least: 3 }), {
        commands: [
          fc.constant(new Present()),
          fc.nat(9).map((at) => new Settle(at)),
          fc.tuple(fc.nat(9), fc.integer({ min: 2, max: 4 })).map(([at, copies]) => new SettleAtOnce(at, copies)),
          fc.nat(9).map((at) => new SettleOtherwise(at)),
          fc.nat(9).map((at) => new Verify(at)),
          ...(stage.rail.family === 'evm'
            ? [fc.integer({ min: 1, max: 2 }).map((depth) => new Reorganise(depth))]
            : []),
        ],
        setup: async () => {
          const model = { payments: [], reorganised: false }
          await new Present().run(model, stage)
          return { model, real: stage }
        },
        most: 6,
      }),
  },
  {
    id: 'FAC-031/races',
    role: 'facilitator',
    kind: 'model',
    title: 'in whatever order requests about two payments overlap, each moves value once and every success is true',
    families: both,
    run: (stage) =>
      property(fewer(stage, { by: 25, least: 3 }), fc.scheduler(), async (scheduler) => {
        const scenes = [await stage.scene(), await stage.scene()] as const
        // Their names and the number of the payment are what a counterexample shows.
        const settle = scheduler.scheduleFunction(async function settle(at: 0 | 1) {
          return stage.settle(scenes[at].payment, scenes[at].requirements)
        })
        const verify = scheduler.scheduleFunction(async function verify(at: 0 | 1) {
          return stage.verify(scenes[at].payment, scenes[at].requirements)
        })
        const asked = ([0, 1] as const).map((at) => Promise.all([settle(at), settle(at), verify(at)]))
        const answers = await scheduler.waitFor(Promise.all(asked))
        for (const at of [0, 1] as const) {
          const receipts = answers[at]?.slice(0, 2) as readonly Receipt[]
          const good = receipts.filter(({ success }) => success)
          expectThat(good.length > 0, 'none of the copies settles', 'a success', receipts[0]?.answer.text)
          for (const receipt of good) await expectMoved(stage, scenes[at], 1, receipt)
        }
      }),
  },
]

/** A new payment. */
class Present implements Command {
  check({ payments }: Readonly<Known>): boolean {
    return payments.length < mostPayments
  }
  async run(known: Known, stage: FacilitatorStage): Promise<void> {
    const scene = await stage.scene()
    // The money of the payer is older than what may be taken back.
    if (stage.rail.family === 'evm') await stage.evm.chain.mine(3)
    known.payments.push({ scene, settled: false })
  }
  toString(): string {
    return 'a new payment'
  }
}

/** Something about one of the payments there are. */
abstract class About implements Command {
  protected readonly at: number
  protected abstract readonly what: string
  constructor(at: number) {
    this.at = at
  }
  protected abstract act(payment: Payment, stage: FacilitatorStage): Promise<readonly Receipt[]>
  check({ payments }: Readonly<Known>): boolean {
    return payments.length > 0
  }
  async run(known: Known, stage: FacilitatorStage): Promise<void> {
    const payment = known.payments[this.at % known.payments.length]
    if (payment === undefined) return
    const good = (await this.act(payment, stage)).filter(({ success }) => success)
    payment.settled ||= good.length > 0
    await expectOnceAtMost(stage, payment.scene)
    // Once blocks were taken back, a receipt may be of one that is gone.
    if (!known.reorganised) for (const receipt of good) await expectMoved(stage, payment.scene, 1, receipt)
  }
  toString(): string {
    return `${this.what} payment ${this.at}`
  }
}

class Settle extends About {
  protected readonly what = 'settle'
  protected async act({ scene, settled }: Payment, stage: FacilitatorStage): Promise<readonly Receipt[]> {
    const receipt = await stage.settle(scene.payment, scene.requirements)
    if (!settled) expectSettled(receipt)
    return [receipt]
  }
}

class SettleAtOnce extends About {
  readonly #copies: number
  protected readonly what: string
  constructor(at: number, copies: number) {
    super(at)
    this.#copies = copies
    this.what = `settle ${copies} times at once`
  }
  protected async act({ scene }: Payment, stage: FacilitatorStage): Promise<readonly Receipt[]> {
    return Promise.all(Array.from({ length: this.#copies }, () => stage.settle(scene.payment, scene.requirements)))
  }
}

class SettleOtherwise extends About {
  protected readonly what = 'settle for another recipient'
  protected async act({ scene }: Payment, stage: FacilitatorStage): Promise<readonly Receipt[]> {
    const requirements = { ...scene.requirements, payTo: await stage.rail.recipient() }
    const payment = scene.version === 2 ? { ...scene.payment, accepted: requirements } : scene.payment
    const { success, answer } = await stage.settle(payment, requirements)
    expectThat(!success, 'a payment settles for another recipient', 'success: false', answer.text)
    return []
  }
}

class Verify extends About {
  protected readonly what = 'verify'
  protected async act({ scene }: Payment, stage: FacilitatorStage): Promise<readonly Receipt[]> {
    await stage.verify(scene.payment, scene.requirements)
    return []
  }
}

/** The newest blocks are replaced by others without their transactions. */
class Reorganise implements Command {
  readonly #depth: number
  constructor(depth: number) {
    this.#depth = depth
  }
  check({ payments }: Readonly<Known>): boolean {
    return payments.length > 0
  }
  async run(known: Known, stage: FacilitatorStage): Promise<void> {
    known.reorganised = true
    await stage.evm.chain.reorg(this.#depth)
    for (const { scene } of known.payments) await expectOnceAtMost(stage, scene)
  }
  toString(): string {
    return `the chain takes ${this.#depth} back`
  }
}

/** What the chain shows of a payment, whatever the facilitator says: all of it once, or nothing. */
async function expectOnceAtMost({ rail }: FacilitatorStage, { payer, recipient, terms, held }: Scene): Promise<void> {
  const [left, earned, transfers] = await Promise.all([
    rail.balance(payer.address),
    rail.balance(recipient),
    rail.transfersOf(payer),
  ])
  const times = earned === 0n ? 0n : 1n
  const amount = BigInt(terms.amount) * times
  expectSame(
    'the chain shows something else than one payment or none',
    { payer: -amount, recipient: amount, transfers: Number(times) },
    { payer: left - held, recipient: earned, transfers },
  )
}
