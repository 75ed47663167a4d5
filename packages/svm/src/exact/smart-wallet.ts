import { type Refusal, refuse } from '@groat/core'
import type { ChainMint, SvmChain } from '../chain.js'
import { addressBytes, formatAddress, type Key } from '../wire/address.js'
import { sameBytes } from '../wire/bytes.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { readComputeUnitLimit, readComputeUnitPrice } from '../wire/instructions.js'
import { programs } from '../wire/programs.js'
import { decodeLookupTable, decodeTokenAccount } from '../wire/token.js'
import type { Message } from '../wire/transaction.js'
import { explainFailure } from './diagnosis.js'
import { type ComputeBudget, isIsolated } from './layout.js'
import type { ExactPayment } from './shared.js'

/** Wallet programs that are known to move money only on the word of those who own it. */
export const WALLET_PROGRAMS: readonly string[] = [
  // Squads v4 and its smart accounts, Swig, SPL Governance, Metaplex Core.
  'SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf',
  'SMRTzfY6DfH5ik3TKiyLFfXexV8uSG3d2UksSCYdunG',
  'SWiGmQedKzMz1tiTqoJCWeGDnGXfNBp2PkXLkpCAtQo',
  'swigypWHEksbC64pWKwah1WTeh9JXwx8H1rJHLdbQMB',
  'GovER5Lthms3bLBqWub97yVrMmEogzX7xNjdXpPPCVZw',
  'CoREENxT6tW1HoK8ypY1SxRMZTcVPm7R94rH4PZNhX7d',
  formatAddress(programs.lighthouse),
]

/** The most that a wallet may ask of the runtime. */
const MAX_COMPUTE_UNITS = 400_000
const MAX_COMPUTE_UNIT_PRICE = 50_000n
const DEFAULT_COMPUTE_UNITS = 200_000

/**
 * What a wallet's message asks of the runtime, or why it is not one that is looked into (SVM-EXACT-071, SVM-EXACT-073): it calls only the
 * programs that are allowed, and no more than the caps. Pure.
 *
 * Refuses `invalid_exact_svm_smart_wallet_program_not_allowed` and `invalid_exact_svm_payload_fee_above_limit`.
 *
 * @example
 * const budget = readWalletBudget(message, WALLET_PROGRAMS)
 */
export function readWalletBudget({ keys, instructions }: Message, allowed: readonly string[]): ComputeBudget | Refusal {
  let units: number | undefined
  let price = 0n
  let calls = 0
  for (const { program, data } of instructions) {
    const key = keys[program]
    if (key === undefined) return notAllowed()
    if (sameBytes(key, programs.computeBudget)) {
      const [limit, each] = [readComputeUnitLimit(data), readComputeUnitPrice(data)]
      if (limit === undefined && each === undefined) return notAllowed(key)
      units = limit ?? units
      price = each ?? price
      continue
    }
    calls += 1
    if (!sameBytes(key, programs.memo) && !allowed.includes(formatAddress(key))) return notAllowed(key)
  }
  // Who names no limit is given so much for each call, and pays the price for all of it.
  const budget = { units: units ?? (price === 0n ? 0 : calls * DEFAULT_COMPUTE_UNITS), price }
  if (budget.units <= MAX_COMPUTE_UNITS && budget.price <= MAX_COMPUTE_UNIT_PRICE) return budget
  return refuse('invalid_exact_svm_payload_fee_above_limit', 'a smart wallet asks for too much')
}

/**
 * Whether a wallet's payment does what the offer asks (SVM-EXACT-072, SVM-EXACT-074, SVM-EXACT-075): simulated, the recipient's account grows by exactly
 * the amount, and no account of the facilitator can be touched. `undefined` when it does.
 *
 * Refuses `invalid_exact_svm_smart_wallet_alt_resolution_failed`, `invalid_exact_svm_payload_fee_payer_not_isolated`,
 * `invalid_exact_svm_smart_wallet_transfer_mismatch`, `invalid_exact_svm_destination_ata_missing` and what `explainFailure` does.
 *
 * @example
 * const flaw = await judgeEffect(chain, payment, mint)
 */
export async function judgeEffect(
  chain: SvmChain,
  payment: ExactPayment,
  mint: ChainMint,
): Promise<Refusal | undefined> {
  const { transaction, text, terms } = payment
  const { message } = transaction
  const keys = await resolveKeys(chain, message)
  if (keys === undefined) return refuse('invalid_exact_svm_smart_wallet_alt_resolution_failed')
  const purses = chain.keys.map((key) => associatedTokenAccount(key, mint.program, terms.mint))
  if (!isIsolated(message, keys, [...chain.keys, ...purses])) {
    return refuse('invalid_exact_svm_payload_fee_payer_not_isolated')
  }
  const destination = formatAddress(associatedTokenAccount(terms.payTo, mint.program, terms.mint))
  const [simulation, [now]] = await Promise.all([
    chain.rpc.simulate(text, [destination]),
    chain.rpc.accounts([destination]),
  ])
  if (!simulation.ok) return explainFailure(chain, payment, simulation.error)
  const [before, after] = [now, simulation.accounts[0]].map((each) => each && decodeTokenAccount(each.data))
  if (before === undefined) return refuse('invalid_exact_svm_destination_ata_missing')
  const isPaid =
    after !== undefined && sameBytes(after.owner, terms.payTo) && after.amount - before.amount === terms.amount
  return isPaid ? undefined : refuse('invalid_exact_svm_smart_wallet_transfer_mismatch')
}

/** Every account that a message can name: its own, then the writable ones of all tables, then the others. */
async function resolveKeys({ rpc }: SvmChain, { keys, lookups }: Message): Promise<readonly Key[] | undefined> {
  if (lookups.length === 0) return keys
  const accounts = await rpc.accounts(lookups.map(({ table }) => formatAddress(table)))
  const writable: Key[] = []
  const readonly: Key[] = []
  for (const [at, lookup] of lookups.entries()) {
    const account = accounts[at]
    const isTable = account !== undefined && sameBytes(account.owner, programs.addressLookupTable)
    const table = isTable ? decodeLookupTable(account.data) : undefined
    if (table === undefined) return undefined
    for (const [indexes, found] of [
      [lookup.writable, writable],
      [lookup.readonly, readonly],
    ] as const) {
      for (const index of indexes) {
        const key = table[index]
        if (key === undefined) return undefined
        found.push(key)
      }
    }
  }
  return [...keys, ...writable, ...readonly]
}

/**
 * Checks the operator's list of wallet programs. Throws a `TypeError` for what is no address.
 *
 * @example
 * walletPrograms() // the known wallets
 */
export function walletPrograms(named: readonly string[] = WALLET_PROGRAMS): readonly string[] {
  return named.map((program) => formatAddress(addressBytes(program)))
}

function notAllowed(program?: Key): Refusal {
  return refuse('invalid_exact_svm_smart_wallet_program_not_allowed', program && formatAddress(program))
}
