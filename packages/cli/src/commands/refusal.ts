import type { Quote } from '@groat/client'
import {
  assetByAddress,
  errorInfo,
  formatUnits,
  type Network,
  network,
  networkFamily,
  type PaymentRequirements,
  type SchemeClient,
  v1NameOf,
} from '@groat/core'
import { plain, plainLines } from '../terminal/io.js'
import { approvalOf, lacksApproval, sayApproval } from './said-of-approval.js'

/** A quote that says no. */
export type RefusedQuote = Extract<Quote, { status: 'refused' }>

/** What was asked for, as far as it decides what is refused. */
export type Asked = {
  readonly max: string
  /** The limit is the policy's own, which no option widens. */
  readonly isOfPolicy?: boolean
  readonly network?: readonly string[] | undefined
  readonly scheme?: readonly string[] | undefined
  readonly schemes: readonly SchemeClient[]
  /** The session that pays. */
  readonly session?: string | undefined
  /** Nodes that a command to approve Permit2 can name. */
  readonly nodes?: ReadonlyMap<Network, string>
}

/** A refusal in the words of the command line: a line for each offer that is refused in other words, and what to do next. */
export type Explained = { readonly offers: readonly string[]; readonly hint: string }

/**
 * Says why nothing may be paid, in terms of options and variables. The hint is the one for the offer that came closest to being paid,
 * on the networks that were asked for.
 */
export function explainRefusal({ code, refusals }: RefusedQuote, asked: Asked): Explained {
  const told = refusals.map((refusal) => ({ ...refusal, ...wordsOf(refusal, asked) }))
  const wanted = asked.network?.map(network)
  const here = told.filter(({ offer }) => wanted?.includes(offer.network) !== false)
  const [closest] = (here.length > 0 ? here : told).toSorted((a, b) => distance(a) - distance(b))
  return {
    // Offers that differ in how the asset moves alone are one to a person.
    offers: [
      ...new Set(
        told.map(({ offer, code, reason }) =>
          plain(`${offer.scheme} on ${nameOf(offer.network)}: ${reason} (${code})`),
        ),
      ),
    ],
    hint: plainLines(closest?.hint ?? errorInfo(code).hint),
  }
}

/** The name by which people know a network. */
export function nameOf(id: Network): string {
  return v1NameOf(id) ?? id
}

type Refusal = RefusedQuote['refusals'][number]

/** What stands between an offer and its payment, the least first; what is not named is about the seller, and stands in the middle. */
const obstacles = ['scheme', 'balance', 'perPayment', 'versions', 'https', '', 'schemes', 'networks']

function distance({ rule, code }: Pick<Refusal, 'rule' | 'code'>): number {
  // The scheme's name alone is known here.
  if (code === 'unsupported_transfer_method') return obstacles.indexOf('schemes')
  const at = obstacles.indexOf(rule)
  return at < 0 ? obstacles.indexOf('') : at
}

function wordsOf({ rule, offer, code, detail }: Refusal, asked: Asked): { reason: string; hint: string } {
  const info = errorInfo(code)
  const plain = { reason: detail ?? info.title, hint: info.hint }
  if (lacksApproval(code)) return sayApproval(approvalOf({ ...offer, detail }, asked.nodes ?? new Map()))
  switch (rule) {
    case 'perPayment':
      return {
        reason: `${priceOf(offer)} is above ${asked.max}`,
        hint: asked.isOfPolicy ? MAX_OF_POLICY : 'Allow more with --max.',
      }
    case 'networks':
      return {
        reason: `not among --network ${asked.network?.join(' ')}`,
        hint: 'Name a network of the offers with --network, or leave it out.',
      }
    case 'balance': {
      const [, have] = /^(\d+) atomic units are there$/.exec(detail ?? '') ?? []
      const payer = asked.schemes.find((half) => half.scheme.name === offer.scheme && half.payer(offer.network))
      const who = payer?.payer(offer.network)
      if (have === undefined || who === undefined) return plain
      return {
        reason: `${who} has ${priceOf({ ...offer, amount: BigInt(have) })}, and ${priceOf(offer)} is asked`,
        hint: 'Fund the account, or name the file of another with --key-file.',
      }
    }
    case 'priceRise':
      return {
        ...plain,
        hint: 'If the new price is right, say `price_rise: 200%` or more in the policy for this time.',
      }
    case 'privateAddresses':
      return { ...plain, hint: 'If the seller really is there, say `private_addresses: true` in the policy.' }
    case 'groat-compliance':
      return { reason: `the seller requires ${detail}`, hint: GIVE_FIELDS }
    case 'versions':
      return { ...plain, hint: 'Pay sellers of version 1 with --v1.' }
    case 'schemes':
      return notAsked(offer, asked) ?? missingScheme(offer, asked) ?? plain
    case 'scheme':
      if (code === 'recent_blockhash_not_known') {
        return { ...plain, hint: 'Name a Solana node with --svm-rpc or GROAT_SVM_RPC.' }
      }
      return asked.session === undefined ? plain : { ...plain, ...bySession(code) }
    default:
      return plain
  }
}

/** What a session's own limits refuse. */
const OF_SESSIONS: ReadonlySet<string> = new Set([
  ...['network_not_allowed', 'asset_not_in_policy', 'recipient_not_allowed'],
  ...['amount_over_limit', 'budget_exceeded', 'lifetime_over_limit'],
])
const OTHER_SESSION =
  'The owner has signed no more than that: see `groat wallet session list`, and make another with `groat wallet session new`.'

const NOT_BY_SESSION = {
  reason: 'not by delegation',
  hint: 'A session pays sellers that take payments by delegation (ERC-7710), on its own network: pay this one with a key.',
}

/** What stands between a session and an offer. */
function bySession(code: string): { readonly reason?: string; readonly hint?: string } {
  if (code === 'unsupported_transfer_method') return NOT_BY_SESSION
  return OF_SESSIONS.has(code) ? { hint: OTHER_SESSION } : {}
}

/** What to do where a seller wants to know something of its payers. */
export const GIVE_FIELDS =
  'Say it with --field name=value, or below `fields` in the policy. Nobody is told what they do not ask for.'

const MAX_OF_POLICY = 'Allow more by `per_payment` in the policy: --max narrows it, and never widens it.'

/** A key here would pay by it, and `--scheme` or the policy leaves it out. */
function notAsked({ scheme, network }: PaymentRequirements, { scheme: wanted, schemes }: Asked) {
  const pays = schemes.some((half) => half.scheme.name === scheme && half.payer(network) !== undefined)
  if (!pays) return undefined
  return wanted === undefined || wanted.includes(scheme)
    ? { reason: 'not among `schemes` of the policy', hint: 'Ask the seller for another offer.' }
    : {
        reason: `not among --scheme ${wanted.join(' ')}`,
        hint: 'Name a scheme of the offers with --scheme, or leave it out.',
      }
}

/** No half can pay an offer: either there is no key of the family, or nobody here knows the scheme. */
function missingScheme(offer: PaymentRequirements, { schemes, session }: Asked) {
  if (session !== undefined) return NOT_BY_SESSION
  const family = families[networkFamily(offer.network)]
  if (family === undefined) return { reason: 'such chains are not paid on', hint: 'Ask the seller for another offer.' }
  if (schemes.some((half) => half.payer(offer.network) !== undefined)) {
    return { reason: `${offer.scheme} is not paid by groat pay`, hint: 'Ask the seller for another offer.' }
  }
  return {
    reason: `No ${family.name} key to pay with`,
    hint: `Set ${family.variable}, or name a file with --key-file.`,
  }
}

const families: Readonly<Partial<Record<string, { readonly name: string; readonly variable: string }>>> = {
  eip155: { name: 'EVM', variable: 'GROAT_EVM_KEY' },
  solana: { name: 'Solana', variable: 'GROAT_SVM_KEY' },
}

function priceOf({ network, asset, amount }: PaymentRequirements): string {
  const known = assetByAddress(network, asset)
  return known === undefined ? `${amount} of ${asset}` : `${formatUnits(amount, known.decimals)} ${known.symbol}`
}
