import {
  type FacilitatorRequest,
  notify,
  type OnEvent,
  type PaymentRequirements,
  type Pid,
  type Random,
  type Refusal,
  refuse,
  systemClock,
  systemRandom,
  type Wrap,
  X402Error,
} from '@groat/core'
import { complianceExtension, type PayerField, readPayerFields } from '@groat/extensions/compliance/facilitator'
import type { Migrations, Store } from '@groat/store'
import { createReporter, type Fault } from '../fault.js'
import type { FacilitatorService, HealthReason } from '../service.js'
import type { ScreeningDecision, ScreeningProvider, ScreeningSubject } from './screening.js'

/** What screening works with. */
export type WithScreeningOptions = {
  readonly provider: ScreeningProvider
  /** Where decisions about settlements are written down. */
  readonly store: Store
  /** What every payment has to say of its payer (`groat-compliance`); nothing unless told. One that does not is refused, and so is one whose words cannot be read. */
  readonly requires?: readonly PayerField[]
  /** Milliseconds that a decision may take; 2,000 unless told. */
  readonly timeout?: number
  readonly onFault?: (fault: Fault) => void
  readonly onEvent?: OnEvent
  readonly clock?: () => number
  readonly random?: Random
}

type ScreenedOut = Refusal & { readonly payer: string }

/**
 * Screens payer and recipient at verify and again at settle, and fails closed: undecided, a payment is `screening_unavailable`, and turned
 * down it is refused with `payment_screened` before anything is signed. What has been begun already is carried to its end and told. Every
 * decision about a settlement is written down, with the list that decided.
 *
 * @example
 * const screened = withScreening({ provider: createLocalList({ file: 'list.txt' }), store })(facilitator)
 */
export function withScreening(options: WithScreeningOptions): Wrap<FacilitatorService> {
  const { provider, store, requires = [], timeout = 2_000, clock = systemClock, random = systemRandom } = options
  const report = createReporter(options)
  const { transaction, migrate } = store.withTables<ScreeningTables>()

  async function decide(subject: ScreeningSubject): Promise<ScreeningDecision> {
    const signal = AbortSignal.timeout(timeout)
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    return Promise.race([provider.screen(subject, { signal }), late])
  }

  function undecided(error: unknown): X402Error {
    const reference = report(error, { during: 'screening' })
    return new X402Error('screening_unavailable', { reference }, { cause: error })
  }

  function tellRefused(
    pid: Pid,
    { network, scheme, payTo }: PaymentRequirements,
    { payer, code }: ScreenedOut,
    during: ScreeningSubject['during'],
  ): void {
    const about = { during, code, pid, network, scheme, payTo, payer }
    notify(options.onEvent, { type: 'payment_refused', at: clock(), ...about })
  }

  async function note(pid: string, subject: ScreeningSubject, decision: ScreeningDecision): Promise<void> {
    const { network, payer, payTo, during } = subject
    await transaction((trx) =>
      trx
        .insertInto('screening')
        .values({
          id: Buffer.from(random(16)).toString('hex'),
          pid,
          at: clock(),
          during,
          network,
          payer,
          pay_to: payTo,
          provider: provider.name,
          version: decision.version,
          allowed: decision.allowed ? 1 : 0,
          reason: decision.reason ?? null,
          fields: subject.fields === undefined ? null : JSON.stringify(subject.fields),
        })
        .execute(),
    )
  }

  return (next) => {
    /** What stands against a payment; throws when that is not known. */
    async function judge(
      { payment, requirements }: FacilitatorRequest,
      during: ScreeningSubject['during'],
    ): Promise<ScreenedOut | undefined> {
      const inspected = next.inspect({ payment, requirements })
      const known = inspected.ok ? inspected : inspected.late
      // What cannot be read is refused by whoever comes next, and moves nothing.
      if (known === undefined) return undefined
      const { pid, payer } = known
      const read = readPayerFields(payment, requires)
      const fields = read.ok ? read.fields : undefined
      const parties = { network: requirements.network, payer, payTo: requirements.payTo, during }
      const subject = { ...parties, ...(fields && { fields }) }
      try {
        const decision = read.ok ? await decide(subject) : { allowed: false, version: '', reason: read.code }
        if (during === 'settle' || !decision.allowed) await note(pid, subject, decision)
        if (decision.allowed) return undefined
        const refusal = { ...refuse(read.ok ? 'payment_screened' : read.code), payer }
        tellRefused(pid, requirements, refusal, during)
        return refusal
      } catch (error) {
        throw undecided(error)
      }
    }

    async function isUnderWay(request: FacilitatorRequest): Promise<boolean> {
      const inspected = next.inspect(request)
      const known = inspected.ok ? inspected : inspected.late
      const found = known && (await next.find(known.pid))
      return found !== undefined && found.settlement.status !== 'refused'
    }

    return {
      ...next,
      async start() {
        await migrate(screeningMigrations)
        await next.start()
      },
      /** Sellers learn from it that what payers say of themselves is looked at. */
      async supported() {
        const known = await next.supported()
        return { ...known, extensions: [...new Set([...known.extensions, complianceExtension.key])] }
      },
      async verify(request, callOptions) {
        return (await judge(request, 'verify')) ?? next.verify(request, callOptions)
      },
      async settle(request, callOptions) {
        // It was let through once, and may have moved money: nobody is helped by not being told. Should that one be refused, this one was not looked at.
        if (await isUnderWay(request)) return next.settle(request, { ...callOptions, joins: true })
        const refusal = await judge(request, 'settle')
        if (refusal === undefined) return next.settle(request, callOptions)
        return { status: 'refused', code: refusal.code, payer: refusal.payer }
      },
      async health() {
        const health = await next.health()
        const fault = await provider.ready?.().then(
          () => undefined,
          (error: unknown) => error,
        )
        if (fault === undefined) return health
        return { ...health, ready: false, reasons: [...health.reasons, reasonOf(fault)] }
      },
    }
  }
}

function reasonOf(fault: unknown): HealthReason {
  if (!X402Error.is(fault)) return { part: 'screening', code: 'screening_unavailable' }
  const { code, context } = fault
  const isTold = code === 'screening_unavailable' && typeof context.reason === 'string'
  return { part: 'screening', code, ...(isTold ? { detail: String(context.reason) } : {}) }
}

type ScreeningTables = {
  screening: {
    id: string
    pid: string
    at: number
    during: string
    network: string
    payer: string
    pay_to: string
    provider: string
    version: string
    allowed: number
    reason: string | null
    /** What the payment said of its payer, as JSON. */
    fields: string | null
  }
}

const screeningMigrations: Migrations = {
  namespace: 'facilitator_screening',
  steps: {
    async '001_screening'(db) {
      await db.schema
        .createTable('screening')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('pid', 'text', (c) => c.notNull())
        .addColumn('at', 'bigint', (c) => c.notNull())
        .addColumn('during', 'text', (c) => c.notNull())
        .addColumn('network', 'text', (c) => c.notNull())
        .addColumn('payer', 'text', (c) => c.notNull())
        .addColumn('pay_to', 'text', (c) => c.notNull())
        .addColumn('provider', 'text', (c) => c.notNull())
        .addColumn('version', 'text', (c) => c.notNull())
        .addColumn('allowed', 'integer', (c) => c.notNull())
        .addColumn('reason', 'text')
        .execute()
      await db.schema.createIndex('screening_pid').on('screening').column('pid').execute()
    },
    async '002_fields'(db) {
      await db.schema.alterTable('screening').addColumn('fields', 'text').execute()
    },
  },
}
