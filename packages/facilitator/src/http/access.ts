import { type Clock, type ErrorCode, type FacilitatorRequest, type Refusal, systemClock } from '@groat/core'
import { bearerOf } from '../access/api-key.js'
import { type CountedPayment, createPayerQuota } from '../access/payer-quota.js'
import { createPressure, type Pressure, type PressureLimits } from '../access/pressure.js'
import { createQuota, createSlots, type Quota, type Rate, wholeRate } from '../access/quota.js'
import { createTenants, judgeTerms, type Scope, type Tenant } from '../access/tenants.js'
import type { ClaimFor, FacilitatorService, StoredSettlement } from '../service.js'

/** Who may do what, and how much of it. */
export type AccessOptions = {
  /** Absent: whoever reaches the listener may verify and settle. */
  readonly tenants?: readonly Tenant[]
  readonly limits?: AccessLimits
  /** Told of every request that was turned away. */
  readonly onDenied?: (denial: Denial) => void
  readonly clock?: Clock
}

/** The three rings, and how much is too much for the process. */
export type AccessLimits = PressureLimits & {
  /** Requests of one address that bring no known key. */
  readonly perIp?: Rate
  /** Of one tenant, where it has no rates of its own; 50 verifications and 20 settlements a second unless told, where there are tenants. */
  readonly perTenant?: { readonly verify?: Rate; readonly settle?: Rate }
  /** Of one payer; 5 a second and 20 open settlements unless told, where there are tenants. */
  readonly perPayer?: Rate & { readonly maxOpen?: number }
}

/** A request that was turned away. */
export type Denial = {
  readonly code: ErrorCode
  readonly during: Scope
  readonly tenant?: string
  /** Which of the limits: `ip`, `tenant`, `payer`, `service`. */
  readonly ring?: string
  /** Requests per second that the caller's address, its tenant or the payer has, where that is what was used up. */
  readonly perSecond?: number
  /** Payments that the caller's tenant or the payer may have open at a time, where that is what was used up. */
  readonly maxOpen?: number
  /** Seconds to wait. */
  readonly retryAfter?: number
}

/** Somebody who may come in. Without tenants there is one, who may do everything. */
export type Admitted = { readonly ok: true; readonly tenant: Tenant | undefined }

/** Turned away. */
export type Denied = { readonly ok: false } & Denial

/** The door of the service. */
export interface Access {
  readonly pressure: Pressure
  readonly tenants: readonly Tenant[]
  /** Who it is, and whether that one may do such a thing at all and now. */
  admit(
    scope: Scope,
    from: { readonly authorization: string | undefined; readonly ip: string | undefined },
  ): Admitted | Denied
  /** Whether a tenant may use these terms. */
  judge(tenant: Tenant | undefined, request: FacilitatorRequest, during: Scope): Refusal | undefined
  /** Whether a tenant may be told what became of a payment: it may, where it could have had it settled. */
  mayRead(
    tenant: Tenant | undefined,
    settlement: Pick<StoredSettlement, 'network' | 'scheme' | 'asset' | 'payTo'>,
  ): boolean
  /**
   * Lets work begin, or not; `leave` has to be called when it ended. `claim`: the bounds that only the journal can hold, for all replicas
   * together.
   */
  enter(kind: 'verify' | 'settle', tenant: Tenant | undefined, request: FacilitatorRequest): Entered | Denied
  /** What the journal found over a quota is turned away like everything else. */
  turnAway(tenant: Tenant | undefined, over: OverQuota): Denied
}

/** What the journal says of a quota that is used up. */
export type OverQuota = { readonly [Part in 'ring' | 'perSecond' | 'maxOpen' | 'retryAfter']?: unknown }

/** Somebody who came in. `passed`: the payment was verified, or settled, and is its payer's own: it counts. */
export type Entered = { readonly ok: true; readonly claim: ClaimFor; passed(): void; leave(): void }

/** Makes the door. Throws `X402Error` `invalid_config` as `createTenants` does. */
export function createAccess(service: Pick<FacilitatorService, 'inspect'>, options: AccessOptions): Access {
  const { limits = {}, onDenied, clock = systemClock } = options
  const tenants = options.tenants === undefined ? undefined : createTenants(options.tenants)
  const pressure = createPressure(limits, clock)
  const perIp = limits.perIp && createQuota(limits.perIp, clock)
  const { perTenant, perPayer } = tenants === undefined ? limits : { ...CLOSED, ...limits }
  const ofPayer = perPayer && createPayerQuota(perPayer, clock)
  const open = { tenant: createSlots(), payer: createSlots() }
  const ofTenant = new Map<string, Quota>()

  function rateOf(tenant: Tenant, kind: 'verify' | 'settle'): Rate {
    return tenant.rates?.[kind] ?? perTenant?.[kind] ?? CLOSED.perTenant[kind]
  }

  /** Counted in the transaction that claims: replicas grant it together, and what is presented again takes nothing of it. */
  function boundsOf(tenant: Tenant | undefined, payer: string, isCounted: boolean): ClaimFor {
    const ofThem = tenant && {
      ring: 'tenant' as const,
      key: `tenant ${tenant.id}`,
      ...wholeRate(rateOf(tenant, 'settle')),
    }
    // Counted when it was verified: the work that it pays for is done by now.
    const ofIt = isCounted
      ? undefined
      : perPayer && { ring: 'payer' as const, key: `payer ${payer}`, ...wholeRate(perPayer) }
    const most = perPayer?.maxOpen
    return {
      quotas: [ofThem ?? [], ofIt ?? []].flat(),
      open: { ...(tenant && { tenant: mostOf(tenant) }), ...(most === undefined ? {} : { payer: most }) },
      ...(tenant && { tenant: tenant.id }),
    }
  }

  function quotaOf(tenant: Tenant, kind: 'verify' | 'settle'): Quota | undefined {
    const rate = rateOf(tenant, kind)
    const key = `${kind} ${tenant.id}`
    const known = ofTenant.get(key)
    if (known !== undefined) return known
    const made = createQuota(rate, clock)
    ofTenant.set(key, made)
    return made
  }

  function deny(denial: Denial): Denied {
    try {
      onDenied?.(denial)
    } catch {
      // An observer must not change an outcome.
    }
    return { ok: false, ...denial }
  }

  return {
    pressure,
    tenants: tenants?.all ?? [],

    admit(scope, { authorization, ip }) {
      const key = bearerOf(authorization)
      const tenant = key === undefined ? undefined : tenants?.find(key)
      const wait = tenant === undefined && ip !== undefined ? (perIp?.take(ip) ?? 0) : 0
      if (wait > 0) {
        const limit = limits.perIp && { perSecond: limits.perIp.perSecond }
        return deny({ code: 'quota_exceeded', during: scope, ring: 'ip', ...limit, retryAfter: wait })
      }
      if (tenants === undefined) return { ok: true, tenant: undefined }
      if (key === undefined) return deny({ code: 'api_key_missing', during: scope })
      if (tenant === undefined) return deny({ code: 'api_key_unknown', during: scope })
      const about = { during: scope, tenant: tenant.id }
      if (!tenant.scopes.includes(scope)) return deny({ code: 'scope_missing', ...about })
      if (scope === 'verify' || scope === 'settle') {
        const retryAfter = quotaOf(tenant, scope)?.take(tenant.id) ?? 0
        const { perSecond } = rateOf(tenant, scope)
        if (retryAfter > 0) return deny({ code: 'quota_exceeded', ...about, ring: 'tenant', perSecond, retryAfter })
      }
      return { ok: true, tenant }
    },

    judge(tenant, { requirements }, during) {
      const refusal = tenant && judgeTerms(tenant, requirements)
      if (refusal !== undefined) deny({ code: refusal.code, during, tenant: tenant?.id ?? '' })
      return refusal
    },

    mayRead: (tenant, settlement) => tenant === undefined || judgeTerms(tenant, settlement) === undefined,

    enter(kind, tenant, request) {
      const about = { during: kind, ...(tenant === undefined ? {} : { tenant: tenant.id }) }
      const inspected = service.inspect(request)
      // What cannot even be read costs nobody anything.
      const known = inspected.ok ? inspected : inspected.late
      if (known === undefined) return { ok: true, claim: {}, passed() {}, leave() {} }
      // Who asks what became of a payment waits for no turn.
      const secondsLeft = inspected.ok ? known.expiresAt - clock() / 1000 : Number.POSITIVE_INFINITY
      const wait = kind === 'verify' ? pressure.verify() : pressure.settle(secondsLeft)
      if (wait > 0) return deny({ code: 'facilitator_overloaded', ...about, ring: 'service', retryAfter: wait })
      const payer = `${request.requirements.network} ${known.payer}`
      const { pid, expiresAt } = known
      const payment: CountedPayment = { payer, pid, expiresAt, tenant: tenant?.id }
      const ofPayment = ofPayer?.present(kind, payment)
      const { wait: slow = 0, isCounted = false } = ofPayment ?? {}
      if (slow > 0) {
        const limit = perPayer && { perSecond: perPayer.perSecond }
        return deny({ code: 'quota_exceeded', ...about, ring: 'payer', ...limit, retryAfter: slow })
      }
      let hasPassed = false
      const passed = () => {
        hasPassed = true
      }
      const leaving = (...ends: readonly (() => void)[]) => {
        return () => {
          ofPayment?.ended(hasPassed)
          for (const end of ends) end()
        }
      }
      if (kind === 'verify') return { ok: true, claim: {}, passed, leave: leaving(pressure.began(kind)) }

      const most = { payer: perPayer?.maxOpen ?? Number.POSITIVE_INFINITY, tenant: mostOf(tenant) }
      const full = (ring: 'payer' | 'tenant') => {
        ofPayment?.ended(false)
        return deny({ code: 'quota_exceeded', ...about, ring, maxOpen: most[ring], retryAfter: 1 })
      }
      const ofIt = open.payer.enter(payer, most.payer)
      if (ofIt === undefined) return full('payer')
      const ofThem = open.tenant.enter(tenant?.id ?? '', most.tenant)
      if (ofThem === undefined) {
        ofIt()
        return full('tenant')
      }
      const leave = leaving(ofIt, ofThem, pressure.began(kind))
      return { ok: true, claim: boundsOf(tenant, payer, isCounted), passed, leave }
    },

    turnAway: (tenant, { ring, perSecond, maxOpen, retryAfter }) =>
      deny({
        ...{ code: 'quota_exceeded', during: 'settle' },
        ...(tenant === undefined ? {} : { tenant: tenant.id }),
        ...(typeof ring === 'string' ? { ring } : {}),
        ...(typeof perSecond === 'number' ? { perSecond } : {}),
        ...(typeof maxOpen === 'number' ? { maxOpen } : {}),
        ...(typeof retryAfter === 'number' ? { retryAfter } : {}),
      }),
  }
}

/** What holds where there are tenants, unless told otherwise. */
const CLOSED = {
  perTenant: { verify: { perSecond: 50 }, settle: { perSecond: 20 } },
  perPayer: { perSecond: 5, maxOpen: 20 },
} as const

const MAX_SETTLING = 500

function mostOf(tenant: Tenant | undefined): number {
  return tenant === undefined ? Number.POSITIVE_INFINITY : (tenant.maxSettling ?? MAX_SETTLING)
}
