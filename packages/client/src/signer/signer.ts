import {
  type Clock,
  type Json,
  type PaymentRequirements,
  type SignableTransfer,
  type SignerHalf,
  sameAddress,
  sha256Hex,
  systemClock,
  systemRandom,
  X402Error,
} from '@groat/core'
import { type ParsedSpending, parseSpending, type SpendingPolicy } from '../buyer/spending-policy.js'
import { chargesOf, countedValue, openBudgets } from '../buyer/spending-rules.js'
import type { RuleRefusal } from '../entry.js'
import type { Intent } from '../intents.js'
import { memoryPurse } from '../memory-purse.js'
import type { Purse } from '../purse.js'
import { checkAmount } from '../rules.js'

/** The words of a spending policy that a signer can judge: it sees what is signed, and no seller. */
export type SignerPolicy = Pick<
  SpendingPolicy,
  | 'perPayment'
  | 'perHour'
  | 'perDay'
  | 'total'
  | 'payments'
  | 'recipients'
  | 'networks'
  | 'assets'
  | 'worth'
  | 'maxLifetimeSeconds'
  | 'stopped'
>

/** What a signer is made of. */
export type SignerOptions = {
  /** The keys: `evmSigner` of `@groat/evm/signer`, `svmSigner` of `@groat/svm/signer`. */
  readonly halves: readonly SignerHalf[]
  /** What may be signed. It protects where it says nothing: `$0.10` a payment, 600 seconds of life. */
  readonly policy?: SignerPolicy
  /** Where its budgets and what it signed are kept. Default: in memory. `sqlIntents` of `@groat/client/sql` keeps them on disk. */
  readonly purse?: Purse
  readonly clock?: Clock
}

/** What is to be signed, and by which account. */
export type SignRequest = { readonly family: string; readonly address: string; readonly message: Json }

/** Holds keys behind limits of its own: whoever may ask it, and is taken over, gets no more than the limits let go. */
export type Signer = {
  readonly accounts: readonly { readonly family: string; readonly address: string }[]
  /**
   * Reads the payment, holds it against the limits, books it durably, and then signs. The same message is signed once and answered alike ever
   * after. What is signed stays booked: a signer cannot know what became of it. Throws `X402Error` `store_unavailable`, `store_busy`, `signer_failed`.
   *
   * @example
   * const answer = await signer.sign({ family: 'eip155', address, message: typedData })
   */
  readonly sign: (request: SignRequest) => Promise<{ readonly ok: true; readonly signature: string } | RuleRefusal>
}

/**
 * Makes a signer with limits of its own. Throws `X402Error` `invalid_config`, `invalid_price` or `invalid_network` for a policy that cannot be meant.
 *
 * @example
 * const signer = createSigner({ halves: [evmSigner({ account })], policy: { perPayment: '$0.05', perDay: '$10' } })
 */
export function createSigner({ halves, policy, purse = memoryPurse(), clock = systemClock }: SignerOptions): Signer {
  const strange = Object.keys(policy ?? {}).find((word) => !WORDS.has(word))
  // A limit that nobody looks at would be no limit.
  if (strange !== undefined) {
    throw new X402Error('invalid_config', { field: `policy.${strange}`, problem: 'is nothing that a signer can judge' })
  }
  const spending = parseSpending(policy)
  if (halves.length === 0) throw new X402Error('invalid_config', { field: 'halves', problem: 'is empty' })
  const { recipients } = spending.policy
  return {
    accounts: halves.map(({ family, address }) => ({ family, address })),
    async sign({ family, address, message }) {
      const half = halves.find((each) => each.family === family && sameAddress(each.address, address))
      if (half === undefined) return no('accounts', 'there is no such account here')
      const transfer = half.read(message, { clock, recipients })
      if (!transfer.ok)
        return { ...transfer, rule: transfer.code === 'recipient_not_allowed' ? 'recipients' : 'payment' }
      const fingerprint = sha256Hex(JSON.stringify([family, address, message]))
      const before = await signedBefore(purse, transfer, fingerprint)
      if (before !== undefined) return before
      const refusal = judge(transfer, spending, clock)
      if (refusal !== undefined) return refusal
      return book(transfer, fingerprint, { spending, purse, clock })
    },
  }
}

const WORDS: ReadonlySet<string> = new Set<keyof SignerPolicy>([
  ...(['perPayment', 'perHour', 'perDay', 'total', 'payments', 'recipients'] as const),
  ...(['networks', 'assets', 'worth', 'maxLifetimeSeconds', 'stopped'] as const),
])

const no = (rule: string, detail: string): RuleRefusal => ({ ok: false, code: 'signer_refused', rule, detail })

type Answer = Awaited<ReturnType<Signer['sign']>>

/** One number of one account is good for one payment: another message under it is another payment for which nothing was booked. */
async function signedBefore(purse: Purse, { pid }: SignableTransfer, fingerprint: string): Promise<Answer | undefined> {
  const [record] = await purse.records({ id: pid, limit: 1 })
  if (record === undefined) return undefined
  const { intent } = record
  if (intent.fingerprint !== fingerprint || intent.payment === undefined) {
    return { ok: false, code: 'idempotency_mismatch', rule: 'payment' }
  }
  return { ok: true, signature: intent.payment.value }
}

/** What a payment is held against before its budgets. */
function judge(transfer: SignableTransfer, { policy, assets }: ParsedSpending, clock: Clock): RuleRefusal | undefined {
  const { asset, amount, expiresAt } = transfer
  const { network } = asset
  if (policy.networks?.includes(network) === false) {
    return { ok: false, code: 'network_not_allowed', rule: 'networks', detail: network }
  }
  if (assets?.some((name) => name === asset.symbol || sameAddress(name, asset.address)) === false) {
    return { ok: false, code: 'asset_not_in_policy', rule: 'assets', detail: asset.symbol }
  }
  const lifetime = expiresAt - Math.floor(clock() / 1000)
  // A clock may be a second ahead.
  if (lifetime > policy.maxLifetimeSeconds + 1) {
    return { ok: false, code: 'lifetime_over_limit', rule: 'maxLifetimeSeconds', detail: `${lifetime} seconds` }
  }
  const over = checkAmount(amount, { policy, asset })
  return over && { ...over, rule: 'perPayment' }
}

async function book(
  transfer: SignableTransfer,
  fingerprint: string,
  { spending, purse, clock }: { readonly spending: ParsedSpending; readonly purse: Purse; readonly clock: Clock },
): Promise<Answer> {
  const { pid, payer, asset, payTo, amount, expiresAt } = transfer
  const now = clock()
  if (spending.stopped) return { ok: false, code: 'payments_stopped', rule: 'stopped' }
  const offer: PaymentRequirements = {
    ...{
      scheme: 'exact',
      network: asset.network,
      asset: asset.address,
      payTo,
      amount,
      maxTimeoutSeconds: 0,
      extra: {},
    },
  }
  const value = countedValue(offer, { policy: spending.policy, asset })
  const budgets = openBudgets({ spending, origin: '', metadata: {}, now })
  const intent: Intent = {
    ...{
      id: pid,
      key: pid,
      exclusive: false,
      fingerprint,
      origin: '',
      challenge: '',
      pid,
      x402Version: 2,
      scheme: 'exact',
    },
    ...{ network: asset.network, asset: asset.address, payTo, payer, amount, expiresAt, createdAt: now, state: 'open' },
  }
  const owner = sha256Hex(systemRandom(16))
  let signature = ''
  const sign = async () => {
    signature = await transfer.sign()
    return { name: 'signature', value: signature }
  }
  const entry = { charges: chargesOf(budgets, value), facts: [], terms: '', metadata: {} }
  const created = await purse.create(intent, owner, entry, sign)
  if (created !== true) {
    return created || { ok: false, code: 'payment_in_flight', rule: 'payment' }
  }
  // It is the payer that knows how it ends; here it stays booked for ever.
  await purse.release(intent.id, owner, 'answered').catch(() => {})
  return { ok: true, signature }
}
