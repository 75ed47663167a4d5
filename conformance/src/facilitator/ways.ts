import { randomBytes } from 'node:crypto'
import type { Hex } from 'viem'
import type { EvmRail } from '../chain/evm.js'
import type { Payer } from '../chain/rail.js'
import { isObject } from '../http/exchange.js'
import type { Terms } from '../wire/messages.js'
import {
  exactProxy,
  type Permit,
  type PermitDomain,
  permit2Address,
  signPermit,
  uptoProxy,
  type WitnessKind,
} from '../wire/permit2.js'

/** A way to pay on EVM chains other than `exact` by EIP-3009: another scheme, or another transfer method. */
export type Way = {
  readonly scheme: string
  /** As a target claims it; none when the scheme is listed by its name. */
  readonly transfer?: string
  /** The terms of an offer. `kind`: what the facilitator lists. */
  terms(usual: Terms, kind: Readonly<Record<string, unknown>>): Terms
  /** What a payer does once before. */
  prepare?(rail: EvmRail, payer: Payer): Promise<void>
  pay(rail: EvmRail, payer: Payer, terms: Terms): Promise<unknown>
}

/** The payload of a payment by Permit2. */
export type PermitPayload = { readonly signature: Hex; readonly permit2Authorization: Permit }

/** What a check may change about a permit before it is signed. */
export type PermitTweak = {
  readonly permit?: Partial<Permit>
  readonly permitted?: Partial<Permit['permitted']>
  readonly witness?: Readonly<Record<string, string>>
  readonly domain?: Partial<PermitDomain>
  readonly signWith?: string
}

/** `exact` by Permit2. */
export const byPermit2: Way = {
  scheme: 'exact',
  transfer: 'permit2',
  terms: (usual) => ({ ...usual, extra: { ...usual.extra, assetTransferMethod: 'permit2' } }),
  prepare: approve,
  pay: (rail, payer, terms) => permitFor(rail, 'exact', payer, terms),
}

/** `upto` by Permit2. */
export const byUpto: Way = {
  scheme: 'upto',
  terms: (usual, { extra }) => ({
    ...usual,
    scheme: 'upto',
    extra: { ...usual.extra, assetTransferMethod: 'permit2', ...(isObject(extra) ? extra : {}) },
  }),
  prepare: approve,
  pay: (rail, payer, terms) => permitFor(rail, 'upto', payer, terms),
}

/** A permit under these terms, with something about it changed before it is signed. */
export async function permitFor(
  rail: EvmRail,
  kind: Exclude<WitnessKind, 'deposit'>,
  payer: Payer,
  terms: Terms,
  { permit: change, permitted, witness, domain, signWith }: PermitTweak = {},
): Promise<PermitPayload> {
  const now = await rail.now()
  const only: Readonly<Record<string, string>> =
    kind === 'upto' ? { facilitator: String(terms.extra.facilitatorAddress) } : {}
  const permit: Permit = {
    from: payer.address,
    permitted: { token: terms.asset, amount: terms.amount, ...permitted },
    spender: kind === 'upto' ? uptoProxy : exactProxy,
    nonce: randomNonce(),
    deadline: String(now + terms.maxTimeoutSeconds),
    witness: { to: terms.payTo, ...only, validAfter: String(now - 60), ...witness },
    ...change,
  }
  // Keys of the kit are hexadecimal.
  const key = (signWith ?? payer.key) as Hex
  const signature = await signPermit(key, kind, { ...permit2Domain(rail), ...domain }, permit)
  return { signature, permit2Authorization: permit }
}

/** The domain of Permit2 on a chain. */
export const permit2Domain = ({ chain }: EvmRail): PermitDomain => ({
  name: 'Permit2',
  chainId: chain.chainId,
  verifyingContract: permit2Address,
})

/** 256 bits as decimal text. */
export const randomNonce = (): string => BigInt(`0x${randomBytes(32).toString('hex')}`).toString()

/** Lets Permit2 take the tokens of a payer. */
export async function approve(
  { chain }: EvmRail,
  { address }: Pick<Payer, 'address'>,
  amount = 1n << 255n,
): Promise<void> {
  await chain.allow(address as Hex, permit2Address, amount)
}
