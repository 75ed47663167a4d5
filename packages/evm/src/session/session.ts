import {
  type Clock,
  evmAssets,
  findAsset,
  formatUnits,
  type Network,
  type Refusal,
  refuse,
  systemClock,
} from '@groat/core'
import type { EvmAccount } from '../account.js'
import { type Address, parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import { nobleSigningEngine } from '../crypto/noble-signing.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { DelegatedAccount, DelegatedPayment } from '../exact/erc7710-client.js'
import { formatHex, type Hex, isHex, parseHex } from '../hex.js'
import { signWith } from '../sign.js'
import {
  ANYBODY,
  type Caveat,
  type Delegation,
  delegationHash,
  disableCall,
  encodeContext,
  ROOT,
  type SignedDelegation,
  signableDelegation,
} from './delegation.js'

/** What a session key may spend. The delegation manager holds it to that on chain, whoever has the key. */
export type SessionLimits = {
  /** The token that may be spent, and no other. */
  readonly token: Hex
  /** Who may be paid; anybody unless told. */
  readonly recipients?: readonly Hex[]
  /** Atomic units that one payment may move; as far as `total` goes unless told. */
  readonly perPayment?: bigint
  /** Atomic units for each day: 24 hours from when the session was made, and again from there. What was not spent is not kept for the next. */
  readonly perDay?: bigint
  /** Atomic units, for all payments together. */
  readonly total: bigint
  /** Seconds since 1970; too late from then on. */
  readonly expiresAt: number
}

/** The contract that a delegator's account obeys, and those that know its limits. */
export type DelegationContracts = {
  readonly manager: Hex
  readonly enforcers: {
    readonly erc20TransferAmount: Hex
    readonly timestamp: Hex
    readonly allowedCalldata: Hex
    /** Needed for `perPayment` only. */
    readonly erc20PaymentLimit?: Hex
    /** Needed for `perDay` only. */
    readonly erc20PeriodTransfer?: Hex
    /** Needed for more than one of `recipients`. */
    readonly erc20Payees?: Hex
  }
}

/** What an owner has signed for a session key, once. It is no secret: it is worth nothing without the key. */
export type Session = {
  readonly network: Network
  readonly contracts: DelegationContracts
  /** Whose money it is. */
  readonly delegator: Hex
  /** The address of the session key. */
  readonly key: Hex
  readonly limits: SessionLimits
  /** Seconds since 1970: when the first day of `perDay` begins. */
  readonly startsAt: number
  /** 32 bytes, so that no session is like another. */
  readonly salt: Hex
  /** The owner's. */
  readonly signature: Hex
}

/** Atomic units that are known to be spent of a session: in all, and within its day as it is now. The chain may know of more. */
export type SessionSpent = { readonly total: bigint; readonly today: bigint }

/** What the owner decides. */
export type SessionOptions = Omit<Session, 'delegator' | 'salt' | 'signature' | 'startsAt'> & {
  /** Who signs for the delegator's account: its own key, or that of a contract wallet's owner. */
  readonly owner: EvmAccount
  /** Whose money it is; the owner's unless told. */
  readonly delegator?: Hex
  /** 32 random bytes; the platform's unless told. */
  readonly random?: (bytes: number) => Uint8Array
  /** Milliseconds since 1970; the system's unless told. */
  readonly clock?: Clock
  readonly engine?: SigningEngine
}

/**
 * Has the owner sign, once, what a session key may spend (EVM-EXACT-161). After that the owner's key is not needed for any payment.
 *
 * The account of the delegator has to obey `contracts.manager` (a contract wallet, or an EIP-7702 account with such code). Throws `X402Error`
 * `signer_failed`, and a `TypeError` when limits, addresses or network are none.
 *
 * @example
 * const session = await createSession({ owner, network, contracts, key: sessionKey.address, limits: { token: usdc, total: 5_000_000n, expiresAt } })
 */
export async function createSession(options: SessionOptions): Promise<Session> {
  const { owner, network, contracts, key, limits, delegator = owner.address } = options
  const { random = randomBytes, clock = systemClock, engine = nobleSigningEngine } = options
  // A block's clock may be behind.
  const startsAt = Math.floor(clock() / 1000) - CLOCK_MARGIN_SECONDS
  const terms = { network, contracts, key, limits, startsAt, delegator, salt: formatHex(random(32)) }
  const signature = await signWith(owner, signableDelegation(engine, domainOf(terms), rootOf(terms)))
  return { ...terms, signature }
}

/**
 * The account of a session, for `exactEvmByDelegation`: the session key signs one delegation for each payment, for exactly that payment, under the
 * one that the owner has signed (EVM-EXACT-162). What is seen to be beyond the limits is refused before it is signed: `network_not_allowed`,
 * `asset_not_in_policy`, `recipient_not_allowed`, `amount_over_limit`, `budget_exceeded`, `lifetime_over_limit`.
 * Throws a `TypeError` when the key is not that of the session.
 *
 * @example
 * const scheme = exactEvmByDelegation({ account: sessionAccount({ session, key: privateKeyAccount(sessionKey) }) })
 */
export function sessionAccount(options: {
  readonly session: Session
  readonly key: EvmAccount
  /** What is known to be spent already: what does not fit beside it is refused as well. Nothing is known unless told. */
  readonly spent?: () => SessionSpent
  readonly engine?: SigningEngine
}): DelegatedAccount {
  const { session, key, spent, engine = nobleSigningEngine } = options
  const { contracts, delegator } = session
  const holder = parseAddress(key.address)
  const root: SignedDelegation = { ...rootOf(session), signature: session.signature }
  if (holder === undefined || holder !== root.delegate) throw new TypeError('the key is not that of the session')
  const [authority, domain] = [formatHex(delegationHash(engine, root)), domainOf(session)]
  return {
    delegator,
    delegationManager: contracts.manager,
    expiresAt: session.limits.expiresAt,
    allows: (payment) => judge(session, payment, spent?.()),
    async permit(payment) {
      const leaf = leafOf(contracts, holder, authority, payment)
      const signature = await signWith(key, signableDelegation(engine, domain, leaf))
      return encodeContext([{ ...leaf, signature }, root])
    },
  }
}

/**
 * The call that ends a session on chain, for good (EVM-EXACT-163): the delegator's account has to send it. Until it is mined the key can spend.
 *
 * @example
 * const { to, data } = revokeCall(session)
 */
export function revokeCall(session: Session): { readonly to: Address; readonly data: Hex } {
  return {
    to: addressOf(session.contracts.manager),
    data: disableCall({ ...rootOf(session), signature: session.signature }),
  }
}

/**
 * When the day of `perDay` began, in seconds since 1970: its days are of 24 hours, counted from the beginning of the session.
 *
 * @example
 * const today = payments.filter(({ paidAt }) => paidAt >= sessionDay(session, Date.now() / 1000))
 */
export function sessionDay({ startsAt }: Pick<Session, 'startsAt'>, now: number): number {
  const day = Number(DAY_SECONDS)
  return startsAt + Math.floor((now - startsAt) / day) * day
}

/** What can be seen beforehand, in words that name the limit. What others have spent by the key, only the chain knows. */
function judge({ network, limits }: Session, payment: DelegatedPayment, spent?: SessionSpent): Refusal | undefined {
  const { token, total: all, perPayment, perDay, recipients } = limits
  const { amount } = payment
  const asset = findAsset(evmAssets, network, token)
  const money = (units: bigint) =>
    asset === undefined ? `${units} atomic units` : `${formatUnits(units, asset.decimals)} ${asset.symbol}`
  if (payment.network !== network) return refuse('network_not_allowed', `the session pays on ${network} only`)
  if (payment.token !== addressOf(token)) {
    return refuse('asset_not_in_policy', `the session pays with ${asset?.symbol ?? token} only`)
  }
  if (recipients?.some((each) => payment.payTo === addressOf(each)) === false) {
    return refuse('recipient_not_allowed', `the session pays nobody but ${recipients.join(', ')}`)
  }
  if (perPayment !== undefined && amount > perPayment) {
    return refuse('amount_over_limit', `the session allows ${money(perPayment)} at once, and ${money(amount)} is asked`)
  }
  const over = (limit: bigint, taken: bigint, of: string, left: string) => {
    const rest = limit > taken ? limit - taken : 0n
    if (amount <= rest) return undefined
    const says = `the session allows ${money(limit)} ${of}: ${money(rest)} is left${left}, and ${money(amount)} is asked`
    return refuse('budget_exceeded', says)
  }
  return (
    over(all, spent?.total ?? 0n, 'in all', '') ??
    (perDay === undefined ? undefined : over(perDay, spent?.today ?? 0n, 'a day', ' today'))
  )
}

/** What the owner signs. */
export function rootOf(session: Omit<Session, 'signature'>): Delegation {
  const { contracts, key, delegator, limits, startsAt, salt } = session
  return {
    delegate: addressOf(key),
    delegator: addressOf(delegator),
    authority: ROOT,
    caveats: caveatsOf(contracts, limits, startsAt),
    salt: BigInt(salt),
  }
}

function leafOf(contracts: DelegationContracts, key: Address, authority: Hex, payment: DelegatedPayment): Delegation {
  const { token, payTo, amount, expiresAt, redeemers, salt } = payment
  const [redeemer = ANYBODY, ...others] = redeemers
  const { enforcers } = contracts
  return {
    // Where several may redeem, nobody knows yet who will.
    delegate: others.length === 0 ? redeemer : ANYBODY,
    delegator: key,
    authority,
    caveats: [
      total(enforcers, token, amount),
      // All of it to the payee at once, so that it cannot be redeemed in parts.
      { enforcer: addressOf(enforcers.allowedCalldata), terms: terms([4n, 32], [BigInt(payTo), 32], [amount, 32]) },
      until(enforcers, expiresAt),
    ],
    salt: BigInt(salt),
  }
}

type Enforcers = DelegationContracts['enforcers']

function caveatsOf(
  { enforcers }: DelegationContracts,
  { token, recipients, perPayment, perDay, total: all, expiresAt }: SessionLimits,
  startsAt: number,
): readonly Caveat[] {
  const asset = addressOf(token)
  // Zero would set no end, and no day.
  if (!Number.isSafeInteger(expiresAt) || expiresAt <= 0) throw new TypeError('no end')
  if (!Number.isSafeInteger(startsAt) || startsAt <= 0) throw new TypeError('no beginning')
  return [
    total(enforcers, asset, all),
    until(enforcers, expiresAt),
    ...(recipients === undefined ? [] : [payees(enforcers, recipients.map(addressOf))]),
    ...(perPayment === undefined
      ? []
      : [{ enforcer: enforcerOf(enforcers, 'erc20PaymentLimit'), terms: terms([perPayment, 32]) }]),
    ...(perDay === undefined
      ? []
      : [
          {
            enforcer: enforcerOf(enforcers, 'erc20PeriodTransfer'),
            terms: terms([BigInt(asset), 20], [perDay, 32], [DAY_SECONDS, 32], [BigInt(startsAt), 32]),
          },
        ]),
  ]
}

/** One payee is what stands in the call data: that enforcer is everywhere. */
function payees(enforcers: Enforcers, recipients: readonly Address[]): Caveat {
  const [only, ...others] = recipients
  if (only === undefined) throw new TypeError('nobody may be paid')
  if (others.length === 0) {
    return { enforcer: addressOf(enforcers.allowedCalldata), terms: terms([4n, 32], [BigInt(only), 32]) }
  }
  const each = recipients.map((recipient) => [BigInt(recipient), 20] as const)
  return { enforcer: enforcerOf(enforcers, 'erc20Payees'), terms: terms(...each) }
}

/** A limit that nobody holds would be no limit. */
function enforcerOf(enforcers: Enforcers, name: 'erc20PaymentLimit' | 'erc20PeriodTransfer' | 'erc20Payees'): Address {
  const enforcer = enforcers[name]
  if (enforcer === undefined) throw new TypeError(`no enforcer ${name}`)
  return addressOf(enforcer)
}

const DAY_SECONDS = 86_400n

/** Seconds by which a block's clock may be behind ours. */
const CLOCK_MARGIN_SECONDS = 60

const total = ({ erc20TransferAmount }: Enforcers, token: Address, amount: bigint): Caveat => ({
  enforcer: addressOf(erc20TransferAmount),
  terms: terms([BigInt(token), 20], [amount, 32]),
})

const until = ({ timestamp }: Enforcers, seconds: number): Caveat => ({
  enforcer: addressOf(timestamp),
  terms: terms([0n, 16], [BigInt(seconds), 16]),
})

/** Integers of so many bytes, packed. */
function terms(...parts: readonly (readonly [value: bigint, bytes: number])[]): Hex {
  const packed = parts.map(([value, bytes]) => {
    const digits = value.toString(16).padStart(2 * bytes, '0')
    if (value < 0n || digits.length > 2 * bytes) throw new TypeError('a limit is out of range')
    return digits
  })
  return `0x${packed.join('')}`
}

function domainOf({ network, contracts }: Pick<Session, 'network' | 'contracts'>) {
  const chainId = chainIdOf(network)
  if (chainId === undefined) throw new TypeError('not an EVM network')
  return { name: 'DelegationManager', version: '1', chainId, verifyingContract: addressOf(contracts.manager) }
}

function addressOf(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError('not an address')
  return address
}

/**
 * A session as one line of JSON, amounts as decimal text.
 *
 * @example
 * await writeFile('session.json', formatSession(session), { mode: 0o600 })
 */
export function formatSession(session: Session): string {
  return JSON.stringify(session, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
}

/**
 * Reads what `formatSession` wrote; `undefined` when it is anything else. Whether the owner really signed it, the chain says.
 *
 * @example
 * const session = parseSession(await readFile('session.json', 'utf8'))
 */
export function parseSession(text: string): Session | undefined {
  try {
    const read: unknown = JSON.parse(text)
    // Every member is looked at below, by the readers that a session in use goes through.
    const session = read as Session
    const { network, contracts, delegator, key, limits, startsAt, salt, signature } = session
    const { token, recipients, perPayment, perDay, total, expiresAt } = limits
    const known: Session = {
      ...{ network, contracts, delegator, key, startsAt, salt, signature },
      limits: {
        ...{ token, total: BigInt(total), expiresAt },
        ...(recipients !== undefined && { recipients }),
        ...(perPayment !== undefined && { perPayment: BigInt(perPayment) }),
        ...(perDay !== undefined && { perDay: BigInt(perDay) }),
      },
    }
    const isWhole = isHex(salt, 32) && parseHex(signature) !== undefined && domainOf(known) && rootOf(known)
    return isWhole ? known : undefined
  } catch {
    return undefined
  }
}

const randomBytes = (bytes: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(bytes))
