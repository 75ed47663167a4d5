import { type Asset, isJsonObject, type Json, type JsonObject, type Refusal, refuse, X402Error } from '@groat/core'
import { decodeInteger, encodeCall } from '../abi.js'
import type { EvmAccount, KeyAccount } from '../account.js'
import { type Address, formatAddress } from '../address.js'
import { nobleEngine } from '../crypto/noble.js'
import type { SigningEngine } from '../crypto/signing.js'
import type { Hex } from '../hex.js'
import { takesApproval } from '../permit2/approvals.js'
import { PERMIT2 } from '../permit2/contracts.js'
import { encodeAllowance } from '../permit2/diagnosis.js'
import type { PermitTransfer } from '../permit2/signing.js'
import type { EvmRpc } from '../rpc.js'
import { signWith } from '../sign.js'
import { signTransaction, type Transaction } from '../transaction.js'
import { APPROVE, ERC20_APPROVAL_GAS_SPONSORING } from './approval.js'
import { EIP2612_GAS_SPONSORING, permitDigest, permitTypedData } from './eip2612.js'

/** A payer who is about to pay through Permit2. */
export type Permit2Payer = {
  readonly account: EvmAccount
  readonly engine: SigningEngine
  readonly asset: Asset
  readonly chainId: bigint
  readonly payer: Address
  /** Atomic units, and seconds since 1970. */
  readonly transfer: Pick<PermitTransfer, 'token' | 'amount' | 'deadline'>
}

/** What is signed along, and under which key it goes. */
export type SignedExtension = { readonly key: string; sign(): Promise<JsonObject> }

/** How a payment comes to be allowed. */
export type AllowancePlan = {
  readonly added?: SignedExtension
  /** Atomic units that Permit2 is let take by what is signed along. */
  readonly allowance: bigint
  /** Atomic units of other payments that find room beside this one. */
  readonly room: bigint
}

/** What a plan has to respect. Atomic units. */
export type AllowanceTerms = {
  /** What the challenge announces under `extensions`. */
  readonly announced: JsonObject | undefined
  /** Most that may be approved where it is more than the payment; absent: exactly the payment. */
  readonly maxAllowance: bigint | undefined
  /** What other open payments may still take. */
  readonly open: bigint
}

/**
 * What has to be signed along so that Permit2 may take the amount: nothing where it may already, else what the seller announces to sponsor. Two
 * payments never count on the same allowance.
 * Refuses `permit2_allowance_required` where nothing would do, `permit2_allowance_not_replaceable` where the token would not take the approval, and `payment_unresolved` where it would but for payments that are still open. Throws
 * `X402Error` `rpc_unreachable` and the like.
 *
 * @example
 * const plan = await planAllowance(rpc, { account, engine, asset, chainId, payer, transfer }, { announced, maxAllowance, open: 0n })
 */
export async function planAllowance(
  rpc: EvmRpc,
  who: Permit2Payer,
  { announced = {}, maxAllowance = 0n, open }: AllowanceTerms,
): Promise<AllowancePlan | Refusal> {
  const { payer, transfer, asset } = who
  const { amount } = transfer
  const to = transfer.token
  const [allowance, permits] = await Promise.all([
    rpc.call({ to, data: encodeAllowance(payer, PERMIT2) }),
    rpc.call({ to, data: encodeCall(NONCES, payer) }),
  ])
  const allowed = allowance.ok ? (decodeInteger(allowance.data) ?? 0n) : 0n
  if (allowed >= amount + open) return { allowance: 0n, room: allowed - amount }
  const nonce = permits.ok ? decodeInteger(permits.data) : undefined
  const { domain } = asset
  const byPermit = announced[EIP2612_GAS_SPONSORING] !== undefined && domain !== undefined && nonce !== undefined
  // It sets what Permit2 may take to what this payment takes: nothing is left for another one.
  if (byPermit && open === 0n) return { added: permitOf(who, domain, nonce), allowance: amount, room: 0n }
  const byApproval = announced[ERC20_APPROVAL_GAS_SPONSORING] !== undefined && signsTransactions(who.account)
  const approved = maxAllowance > amount ? maxAllowance : amount
  if (byApproval && approved >= amount + open) {
    // It goes alone, so that none of zero can go before it.
    const isReplaced = allowed === 0n || (await takesApproval(rpc, { owner: payer, token: to, amount: approved }))
    if (!isReplaced)
      return refuse('permit2_allowance_not_replaceable', `Permit2 may take ${allowed} of ${asset.symbol}`)
    return { added: await approvalOf(rpc, who, approved), allowance: approved, room: approved - amount }
  }
  return byPermit || byApproval || allowed >= amount
    ? refuse('payment_unresolved', 'open payments may still take what Permit2 is allowed')
    : refuse('permit2_allowance_required', `Permit2 may take ${allowed} of ${formatAddress(to)}, and not ${amount}`)
}

/** `nonces(address)` */
const NONCES: Hex = '0x7ecebe00'

/** A permit of exactly what is paid: the proxies take no other. */
function permitOf(
  { account, engine, chainId, payer, transfer }: Permit2Payer,
  domain: NonNullable<Asset['domain']>,
  nonce: bigint,
): SignedExtension {
  const { token, amount, deadline } = transfer
  const under = { ...domain, chainId, verifyingContract: token }
  const message = { owner: payer, spender: PERMIT2, value: amount, nonce, deadline }
  return {
    key: EIP2612_GAS_SPONSORING,
    sign: async () => ({
      from: account.address,
      asset: formatAddress(token),
      spender: formatAddress(PERMIT2),
      amount: amount.toString(),
      nonce: nonce.toString(),
      deadline: deadline.toString(),
      signature: await signWith(account, {
        digest: () => permitDigest(engine, under, message),
        typedData: () => permitTypedData(under, message),
      }),
      version: '1',
    }),
  }
}

/** Gas for an approval; plenty. */
const APPROVAL_GAS = 70_000n

/** Wei per gas to offer as a tip where the node suggests none. */
const DEFAULT_TIP = 1_000_000_000n

/** A wallet that signs transactions, as viem's local accounts do. */
type TransactionSigner = {
  readonly address: Hex
  signTransaction(transaction: object): Promise<Hex>
}

function signsTransactions(account: EvmAccount): account is KeyAccount | (EvmAccount & TransactionSigner) {
  return 'signDigest' in account || 'signTransaction' in account
}

/** An approval of Permit2, in a transaction that somebody else pays for and sends. */
async function approvalOf(
  rpc: EvmRpc,
  { account, chainId, payer, transfer }: Permit2Payer,
  approved: bigint,
): Promise<SignedExtension> {
  const [nonce, { baseFee }, tip = DEFAULT_TIP] = await Promise.all([
    rpc.minedNonce(payer),
    rpc.latestBlock(),
    rpc.suggestedTip(),
  ])
  const transaction = {
    chainId,
    nonce,
    maxPriorityFeePerGas: tip,
    maxFeePerGas: 2n * baseFee + tip,
    gas: APPROVAL_GAS,
    to: transfer.token,
    data: encodeCall(APPROVE, PERMIT2, approved),
  }
  return {
    key: ERC20_APPROVAL_GAS_SPONSORING,
    sign: async () => ({
      from: account.address,
      asset: formatAddress(transfer.token),
      spender: formatAddress(PERMIT2),
      amount: approved.toString(),
      signedTransaction: await signApproval(account, transaction),
      version: '1',
    }),
  }
}

async function signApproval(account: EvmAccount, transaction: Transaction): Promise<Hex> {
  try {
    if ('signDigest' in account) return (await signTransaction(nobleEngine, transaction, account)).raw
    if (!signsTransactions(account) || !('signTransaction' in account)) throw new TypeError('no transactions')
    const { chainId, nonce } = transaction
    return await account.signTransaction({
      ...transaction,
      type: 'eip1559',
      chainId: Number(chainId),
      nonce: Number(nonce),
    })
  } catch (cause) {
    throw new X402Error('signer_failed', { payer: account.address }, { cause })
  }
}

/** The announcement with the payer's answer in it: added to, never changed. */
export function answerTo(announced: Json | undefined, info: JsonObject): JsonObject {
  const extension = isJsonObject(announced) ? announced : {}
  const said = isJsonObject(extension.info) ? extension.info : {}
  return { ...extension, info: { ...info, ...said } }
}
