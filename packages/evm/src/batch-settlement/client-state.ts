import {
  decodeChallenge,
  isJsonObject,
  type PaymentRequirements,
  parseAtomic,
  type Refusal,
  refuse,
  sameAddress,
} from '@groat/core'
import { type Address, parseAddress } from '../address.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { parseSignature } from '../crypto/signature.js'
import type { Hex } from '../hex.js'
import type { ChannelConfig } from './channel.js'
import { batchOnEvm, WITHDRAW_DELAY } from './identity.js'
import { isVoucherSigned } from './shared.js'

/** Which channel an offer is paid out of, or why the offer names none. */
export function configFor(
  payer: Address,
  salt: Hex,
  { payTo, asset, extra }: PaymentRequirements,
): ChannelConfig | Refusal {
  const [receiver, token] = [parseAddress(payTo), parseAddress(asset)]
  const { receiverAuthorizer: authorizer, withdrawDelay = WITHDRAW_DELAY.least } = extra
  const receiverAuthorizer = typeof authorizer === 'string' ? parseAddress(authorizer) : undefined
  if (receiver === undefined || BigInt(receiver) === 0n) return malformed('payTo')
  if (token === undefined) return malformed('asset')
  if (receiverAuthorizer === undefined || BigInt(receiverAuthorizer) === 0n)
    return malformed('extra.receiverAuthorizer')
  if (
    typeof withdrawDelay !== 'number' ||
    !(withdrawDelay >= WITHDRAW_DELAY.least && withdrawDelay <= WITHDRAW_DELAY.most)
  ) {
    return malformed('extra.withdrawDelay')
  }
  return { payer, payerAuthorizer: payer, receiver, receiverAuthorizer, token, withdrawDelay, salt }
}

/** What a seller says of a channel. Amounts in atomic units. */
export type Told = { readonly charged: bigint; readonly balance: bigint; readonly signed: bigint }

/** What the seller says of the channel, as far as the payer's own signature bears it out (EVM-BATCH-016). */
export function toldBy(
  engine: CryptoEngine,
  { extra }: PaymentRequirements,
  config: ChannelConfig,
  channelId: Hex,
  chainId: bigint,
): Told | undefined {
  const { channelState: state, voucherState: proof } = extra
  if (!isJsonObject(state) || !isJsonObject(proof)) return undefined
  const [charged, balance, signed] = [state.chargedCumulativeAmount, state.balance, proof.signedMaxClaimable].map(
    (text) => (typeof text === 'string' ? parseAtomic(text) : undefined),
  )
  const signature = typeof proof.signature === 'string' ? parseSignature(proof.signature) : undefined
  if (charged === undefined || balance === undefined || signed === undefined || signature === undefined)
    return undefined
  const voucher = { channelId, maxClaimable: signed }
  return charged <= signed && isVoucherSigned(engine, { chainId, voucher, signature, config })
    ? { charged, balance, signed }
    : undefined
}

/** The offer of these terms that a refusal makes again. */
export function offeredAgain(
  { network, asset, payTo }: Pick<PaymentRequirements, 'network' | 'asset' | 'payTo'>,
  header: (name: string) => string | null,
): PaymentRequirements | undefined {
  const challenge = decodeChallenge(header)
  if (challenge?.ok !== true) return undefined
  return challenge.value.accepts.find(
    (each) =>
      each.scheme === batchOnEvm.name &&
      each.network === network &&
      sameAddress(each.asset, asset) &&
      sameAddress(each.payTo, payTo),
  )
}

const malformed = (part: string) => refuse('invalid_payment_requirements', part)
