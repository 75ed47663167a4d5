import { type ErrorCode, type Refusal, refuse } from '@groat/core'
import type { Key } from '../wire/address.js'
import { sameBytes } from '../wire/bytes.js'
import { associatedTokenAccount } from '../wire/derived-address.js'
import { readComputeUnitLimit, readComputeUnitPrice, readTransferChecked } from '../wire/instructions.js'
import { programs } from '../wire/programs.js'
import { tokenProgramName } from '../wire/token.js'
import type { Instruction, Message } from '../wire/transaction.js'
import type { ExactTerms } from './terms.js'

/** A payment by one `TransferChecked`, read from its message. */
export type Transfer = {
  readonly ok: true
  /** Who may move the money, and signs. */
  readonly authority: Key
  readonly source: Key
  readonly destination: Key
  readonly tokenProgram: Key
  readonly decimals: number
  readonly budget: ComputeBudget
}

/** What a message asks of the runtime. */
export type ComputeBudget = {
  /** Compute units at the most. */
  readonly units: number
  /** For each of them, in millionths of a lamport. */
  readonly price: bigint
}

/** Lamports for each signature. */
export const LAMPORTS_PER_SIGNATURE = 5_000n

/** The most that is ever offered for a compute unit, in millionths of a lamport. */
const MAX_COMPUTE_UNIT_PRICE = 5_000_000n

const MAX_INSTRUCTIONS = 7

/**
 * Reads a message as the layout has it (SVM-EXACT-026 to 046): compute limit, compute price, one transfer, then memos and assertions. What is
 * not exactly that is refused, with the codes of the layout, `…_fee_payer_mismatch`, `…_excessive_signers`, `…_signature_invalid`,
 * `…_fee_payer_not_isolated`, `…_fee_payer_transferring_funds`, `…_mint_mismatch`, `…_recipient_mismatch`, `…_amount_mismatch`,
 * `…_memo_count` and `…_memo_mismatch`. Pure.
 *
 * @example
 * const transfer = readTransfer(message, terms)
 */
export function readTransfer(message: Message, terms: ExactTerms): Transfer | Refusal {
  const [limit, price, transfer, ...others] = message.instructions
  if (!limit || !price || !transfer || message.instructions.length > MAX_INSTRUCTIONS) {
    return refuse(
      'invalid_exact_svm_payload_transaction_instructions_length',
      `${message.instructions.length} instructions`,
    )
  }
  const budget = readBudget(message, limit, price)
  if ('ok' in budget) return budget
  const move = readMove(message, transfer, terms)
  if (!move.ok) return move
  return judgeOthers(message, others) ?? judgeMemo(message, terms) ?? { ...move, budget }
}

/**
 * Whether any instruction names an account of the facilitator, as account or as program (SVM-EXACT-033). `keys` are all that the
 * message can name, those of lookup tables included.
 *
 * @example
 * isIsolated(message, message.keys, [feePayer])
 */
export function isIsolated({ instructions }: Message, keys: readonly Key[], managed: readonly Key[]): boolean {
  const forbidden = keys.flatMap((key, index) => (managed.some((each) => sameBytes(each, key)) ? [index] : []))
  return instructions.every(({ program, accounts }) =>
    forbidden.every((index) => index !== program && !accounts.includes(index)),
  )
}

/**
 * What a message costs the fee payer at the most, in lamports.
 *
 * @example
 * feeOf(message, { units: 20_000, price: 1n }) // 10_001n for two signatures
 */
export function feeOf({ requiredSignatures }: Message, { units, price }: ComputeBudget): bigint {
  const priority = (BigInt(units) * price + 999_999n) / 1_000_000n
  return LAMPORTS_PER_SIGNATURE * BigInt(requiredSignatures) + priority
}

/**
 * How many memos a message has.
 *
 * @example
 * countMemos(message) // 1
 */
export const countMemos = (message: Message): number => memosOf(message).length

/**
 * The memos of a message must be as the offer says (SVM-EXACT-044 to 046); compared as bytes.
 *
 * @example
 * const refusal = judgeMemo(message, terms)
 */
export function judgeMemo(message: Message, { memo }: Pick<ExactTerms, 'memo'>): Refusal | undefined {
  if (memo === undefined) return undefined
  const [only, ...more] = memosOf(message)
  if (only === undefined || more.length > 0) return refuse('invalid_exact_svm_payload_memo_count')
  return sameBytes(only.data, memo) ? undefined : refuse('invalid_exact_svm_payload_memo_mismatch')
}

/**
 * Whether the facilitator's money would move: by an account of its own, or out of its token account (SVM-EXACT-032).
 *
 * @example
 * movesOurs(transfer, mint, chain.keys)
 */
export function movesOurs(
  { authority, source, tokenProgram }: Pick<Transfer, 'authority' | 'source' | 'tokenProgram'>,
  mint: Key,
  managed: readonly Key[],
): boolean {
  return managed.some(
    (key) => sameBytes(key, authority) || sameBytes(associatedTokenAccount(key, tokenProgram, mint), source),
  )
}

/**
 * Whether an instruction only writes a text down or compares what it reads.
 *
 * @example
 * instructions.slice(3).every((each) => isHarmless(message, each))
 */
export function isHarmless({ keys }: Message, { program, accounts, data }: Instruction): boolean {
  // A memo "signs" for the accounts that it is given.
  if (isSame(keys[program], programs.memo)) return accounts.length === 0
  if (!isSame(keys[program], programs.lighthouse)) return false
  // Opcodes 0 and 1 write and close memory, at the cost of a signer; from 16 on other programs are called.
  const [opcode = 0] = data
  return opcode >= 2 && opcode <= 15
}

function memosOf({ keys, instructions }: Message): readonly Instruction[] {
  return instructions.filter(({ program }) => isSame(keys[program], programs.memo))
}

function readBudget({ keys }: Message, limit: Instruction, each: Instruction): ComputeBudget | Refusal {
  const units = isSame(keys[limit.program], programs.computeBudget) ? readComputeUnitLimit(limit.data) : undefined
  if (units === undefined) {
    return refuse('invalid_exact_svm_payload_transaction_instructions_compute_limit_instruction')
  }
  const price = isSame(keys[each.program], programs.computeBudget) ? readComputeUnitPrice(each.data) : undefined
  if (price === undefined) {
    return refuse('invalid_exact_svm_payload_transaction_instructions_compute_price_instruction')
  }
  return price > MAX_COMPUTE_UNIT_PRICE
    ? refuse('invalid_exact_svm_payload_transaction_instructions_compute_price_instruction_too_high')
    : { units, price }
}

type Move = Omit<Transfer, 'budget'>

function readMove(
  message: Message,
  { program, accounts, data }: Instruction,
  { mint, payTo, amount, feePayer }: ExactTerms,
): Move | Refusal {
  const { keys, requiredSignatures } = message
  const tokenProgram = keys[program]
  const moved = readTransferChecked(data)
  const [source, token, destination, authority] = [...accounts.subarray(0, 4)].map((index) => keys[index])
  if (!tokenProgram || !tokenProgramName(tokenProgram) || !moved || !source || !token || !destination || !authority) {
    return refuse('invalid_exact_svm_payload_no_transfer_instruction')
  }
  if (movesOurs({ authority, source, tokenProgram }, token, [feePayer])) {
    return refuse('invalid_exact_svm_payload_transaction_fee_payer_transferring_funds')
  }
  if (!isIsolated(message, keys, [feePayer])) return refuse('invalid_exact_svm_payload_fee_payer_not_isolated')
  if (accounts.length !== 4) return refuse('invalid_exact_svm_payload_no_transfer_instruction')
  // Index 0 pays the fee, so only one other signer is left.
  if (accounts[3] !== 1 || requiredSignatures !== 2) return refuse('invalid_exact_svm_payload_signature_invalid')
  if (!sameBytes(token, mint)) return refuse('invalid_exact_svm_payload_mint_mismatch')
  if (!sameBytes(destination, associatedTokenAccount(payTo, tokenProgram, mint))) {
    return refuse('invalid_exact_svm_payload_recipient_mismatch')
  }
  if (moved.amount !== amount) return refuse('invalid_exact_svm_payload_amount_mismatch')
  return { ok: true, authority, source, destination, tokenProgram, decimals: moved.decimals }
}

const UNKNOWN: readonly ErrorCode[] = [
  'invalid_exact_svm_payload_unknown_fourth_instruction',
  'invalid_exact_svm_payload_unknown_fifth_instruction',
  'invalid_exact_svm_payload_unknown_sixth_instruction',
  'invalid_exact_svm_payload_unknown_seventh_instruction',
]

function judgeOthers(message: Message, others: readonly Instruction[]): Refusal | undefined {
  const code = UNKNOWN[others.findIndex((instruction) => !isHarmless(message, instruction))]
  return code === undefined ? undefined : refuse(code)
}

function isSame(a: Key | undefined, b: Key): boolean {
  return a !== undefined && sameBytes(a, b)
}
