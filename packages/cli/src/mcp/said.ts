import type { BudgetState } from '@groat/client/buyer'
import {
  type Asset,
  assetByAddress,
  type ErrorCode,
  errorInfo,
  formatUnits,
  parseMoney,
  parseUnits,
  X402Error,
} from '@groat/core'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { CliError } from '../terminal/exit.js'

/** What is said to an agent: the same as JSON text and as an object. Money is decimal text beside its atomic units. */
export function said(object: Record<string, unknown>, content: CallToolResult['content'] = []): CallToolResult {
  return { structuredContent: object, content: [{ type: 'text', text: JSON.stringify(object, null, 1) }, ...content] }
}

/** As `said`, for what did not work. */
export function failed(object: Record<string, unknown>, content?: CallToolResult['content']): CallToolResult {
  return { ...said(object, content), isError: true }
}

/** Runs a tool; what goes wrong is told by its code, and nothing else of it is. */
export async function telling(work: () => Promise<CallToolResult>): Promise<CallToolResult> {
  try {
    return await work()
  } catch (error) {
    if (X402Error.is(error)) {
      const { title, hint } = errorInfo(error.code)
      const isUnknown = error.code === 'payment_unresolved' || error.code === 'payment_in_flight'
      const status = isUnknown ? 'unknown' : 'failed'
      return failed({ status, code: error.code, reason: title, hint: isUnknown ? AGAIN : (hints[error.code] ?? hint) })
    }
    if (error instanceof CliError) return failed({ status: 'failed', reason: error.message, hint: error.hint })
    // What the platform's fetch throws.
    if (error instanceof TypeError) return failed({ status: 'unreachable', reason: 'the server does not answer' })
    throw error
  }
}

/** Where what to do is the user's, in the words of the command line. */
const hints: Partial<Record<ErrorCode, string>> = {
  private_address:
    'If the seller really is there, have the user say so: `groat mcp --site URL` for one on the same machine, or `private_addresses: true` in the policy file.',
}

/** What to do about a payment that nobody knows the end of. */
export const AGAIN =
  'Call pay again with exactly the same arguments: it presents the same payment and never pays twice.'

/** An amount of an asset. */
export function moneyOf(amount: bigint, asset: Asset | undefined, address: string) {
  return {
    amount: asset ? `${formatUnits(amount, asset.decimals)} ${asset.symbol}` : `${amount} atomic units of ${address}`,
    atomic_units: amount.toString(),
  }
}

/** The asset of an offer or of a payment, where it is known. */
export function assetOf({ network, asset }: { readonly network: Asset['network']; readonly asset: string }) {
  return assetByAddress(network, asset)
}

/** A budget with what is left of it. */
export function leftOf({ rule, spent, limit }: BudgetState) {
  return { rule, spent, limit, left: difference(limit, spent) }
}

/** Decimal text minus decimal text, of money or of numbers of payments, never below nothing. */
function difference(limit: string, spent: string): string {
  const isMoney = spent.startsWith('$')
  const units = (text: string) => parseUnits(parseMoney(text.startsWith('$') ? text : `$${text}`).decimal, DECIMALS)
  const left = units(limit) - units(spent)
  return `${isMoney ? '$' : ''}${formatUnits(left > 0n ? left : 0n, DECIMALS)}`
}

const DECIMALS = 18
