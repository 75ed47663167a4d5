import { encodeCall } from '../abi.js'
import { type Address, parseAddress } from '../address.js'
import { AUTHORIZATION_USED, findTransferOf, topicOf } from '../exact/token.js'
import type { Hex } from '../hex.js'
import type { Log, Receipt, SeenTransaction } from '../rpc.js'

/** A transfer that is looked for. */
export type WantedTransfer = {
  readonly token: Address
  readonly from: Address
  readonly to: Address
  /** Atomic units. */
  readonly value: bigint
}

/**
 * The log of an ordinary transfer: a call of the token's own `transfer`, by the account that paid. An account with a contract makes that call where its
 * transaction tells it to and to do nothing else, by `execute`, a Safe's `execTransaction`, or through an entry point of ERC-4337. `undefined` for whatever else moved
 * the money (EVM-PROOF-007, EVM-PROOF-013): what settled another scheme is no proof.
 *
 * @example
 * findOrdinaryTransfer(transaction, receipt, { token, from, to, value })?.logIndex
 */
export function findOrdinaryTransfer(
  transaction: SeenTransaction,
  { success, logs }: Pick<Receipt, 'success' | 'logs'>,
  { token, from, to, value }: WantedTransfer,
): Log | undefined {
  if (!success || logs.some((log) => isSettlement(log, from))) return undefined
  const call = encodeCall(TRANSFER_CALL, to, value)
  const isOrdinary = callsOf(transaction, from).some(
    (each) => each.to === token && each.data.toLowerCase().startsWith(call.toLowerCase()),
  )
  return isOrdinary ? findTransferOf(logs, token, { from, to, value }) : undefined
}

/** `transfer(address,uint256)` */
const TRANSFER_CALL = '0xa9059cbb'

/** Whether another scheme may have settled for an account there. A wallet may be told to do that too; what others settle beside it, in the same bundle of operations, is theirs. */
function isSettlement({ topics: [topic, payer] }: Log, from: Address): boolean {
  if (topic === undefined) return false
  const isTheirs = payer === undefined || payer === topicOf(from)
  return SETTLEMENTS.has(topic) || (SETTLEMENTS_OF.has(topic) && isTheirs)
}

/** What is logged through a proxy of Permit2, which names nobody: `Settled()` and `SettledWithPermit()`. */
const SETTLEMENTS: ReadonlySet<string> = new Set([
  '0x97088ec3606cfe8cc112180570d03fcde05f9b8e1bfef8e27784eaf5dd5691b6',
  '0xde5b89d10fc800c459329c382fabfcad0be0ed7e5328e01fae04e507b09ef5d8',
])

/** What is logged by EIP-3009, and by a delegation, with the account that pays. */
const SETTLEMENTS_OF: ReadonlySet<string> = new Set([
  AUTHORIZATION_USED,
  // `RedeemedDelegation(address,address,(address,address,bytes32,(address,bytes,bytes)[],uint256,bytes))`
  '0x40dadaa36c6c2e3d7317e24757451ffb2d603d875f0ad5e92c5dd156573b1873',
])

/** Calls that an account made: the transaction itself, if it is one's own, and what it tells the account's contract to call. */
function callsOf({ to, data }: SeenTransaction, from: Address): readonly Call[] {
  if (to === undefined) return []
  const told = to === from ? [data] : ENTRY_POINTS.has(to) ? operationsOf(data, from) : []
  const made = told.map(calledBy).filter((each) => each !== undefined)
  return [{ to, data }, ...made]
}

type Call = { readonly to: Address; readonly data: Hex }

/** The entry points of ERC-4337, versions 0.6 to 0.8. */
const ENTRY_POINTS: ReadonlySet<string> = new Set([
  '0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789',
  '0x0000000071727de22e5e9d8baf0edac6f37da032',
  '0x4337084d9e255ff0702461cf8895ce9e3b5ff108',
])

/** What user operations of an account tell its contract: `handleOps`, in which the older and the newer operation begin alike. */
function operationsOf(data: Hex, sender: Address): readonly Hex[] {
  if (!HANDLE_OPS.has(selectorOf(data))) return []
  const list = offsetIn(data, HEAD, 0)
  const length = list === undefined ? undefined : numberIn(data, list, 0)
  if (list === undefined || length === undefined || length > MAX_OPERATIONS) return []
  const told: Hex[] = []
  for (let i = 0; i < length; i++) {
    const operation = offsetIn(data, list + WORD, i)
    if (operation === undefined || addressIn(data, operation, 0) !== sender) continue
    const callData = bytesIn(data, operation, 3)
    if (callData !== undefined) told.push(callData)
  }
  return told
}

/** `handleOps` of version 0.6, and of those since 0.7. */
const HANDLE_OPS: ReadonlySet<string> = new Set(['0x1fad948c', '0x765e827f'])
const MAX_OPERATIONS = 1_000

/** The one call that a wallet is told to make; `undefined` where it is told something else. */
function calledBy(data: Hex): Call | undefined {
  switch (selectorOf(data)) {
    // execute(address target,uint256 value,bytes data)
    case '0xb61d27f6':
      return callOf(addressIn(data, HEAD, 0), bytesIn(data, HEAD, 2))
    // execTransaction(address to,uint256 value,bytes data,uint8 operation,…) of a Safe: 0 calls, 1 runs foreign code
    case '0x6a761202':
      return numberIn(data, HEAD, 3) === 0 ? callOf(addressIn(data, HEAD, 0), bytesIn(data, HEAD, 2)) : undefined
    // execute(bytes32 mode,bytes calldata) of ERC-7579: mode 0 is one call, its target and value packed before its data
    case '0xe9ae5c53': {
      const packed = part(data, HEAD, HEAD + 1) === '0x00' ? bytesIn(data, HEAD, 1) : undefined
      return packed && callOf(parseAddress(part(packed, 0, ADDRESS)), part(packed, ADDRESS + WORD))
    }
    default:
      return undefined
  }
}

const callOf = (to: Address | undefined, data: Hex | undefined): Call | undefined =>
  to === undefined || data === undefined ? undefined : { to, data }

const HEAD = 4
const WORD = 32
const ADDRESS = 20

/** Some bytes of many; fewer where the data ends. */
const part = (data: Hex, start: number, end = data.length): Hex => `0x${data.slice(2 + 2 * start, 2 + 2 * end)}`

const selectorOf = (data: Hex): string => part(data, 0, HEAD).toLowerCase()

/** A word of ABI data, in which words are counted from `start`; `undefined` where it is no small number. */
function numberIn(data: Hex, start: number, word: number): number | undefined {
  const at = start + WORD * word
  const text = part(data, at, at + WORD)
  if (text.length !== 2 + 2 * WORD) return undefined
  const value = BigInt(text)
  return value <= MAX_NUMBER ? Number(value) : undefined
}

const MAX_NUMBER = 1n << 32n

function offsetIn(data: Hex, start: number, word: number): number | undefined {
  const offset = numberIn(data, start, word)
  return offset === undefined ? undefined : start + offset
}

function addressIn(data: Hex, start: number, word: number): Address | undefined {
  const at = start + WORD * word
  return parseAddress(part(data, at + WORD - ADDRESS, at + WORD))
}

function bytesIn(data: Hex, start: number, word: number): Hex | undefined {
  const at = offsetIn(data, start, word)
  const length = at === undefined ? undefined : numberIn(data, at, 0)
  if (at === undefined || length === undefined) return undefined
  const bytes = part(data, at + WORD, at + WORD + length)
  return bytes.length === 2 + 2 * length ? bytes : undefined
}
