import { isErrorCode } from '../errors/is-error-code.js'
import type { JsonObject } from '../model/json.js'
import { parseAtomic } from '../model/money.js'
import { isNetwork, type Network, networkByV1Name, v1NameOf } from '../model/network.js'
import { type Decoded, refuse, type Settlement } from '../model/outcome.js'
import type { X402Version } from '../model/payment.js'
import * as v2 from '../schema/v2.shapes.js'
import { decodeBase64Text, encodeBase64Text } from './base64.js'
import { check } from './check.js'
import { type GetHeader, headerNames } from './headers.js'
import { asciiJson, decodeJsonObject } from './json.js'
import { objectOf } from './requirements.js'
import { wireCode } from './wire-code.js'

/** Seconds after which asking again makes sense when a peer does not say. */
export const DEFAULT_RETRY_AFTER = 2

/**
 * The wire `SettleResponse` of a settlement.
 *
 * @example
 * encodeSettlement(2, offer.network, outcome)
 */
export function encodeSettlement(version: X402Version, network: Network, settlement: Settlement): JsonObject {
  const networkText = version === 1 ? (v1NameOf(network) ?? network) : network
  if (settlement.status === 'settled') {
    const { payer, transaction, amount, extensions, extra } = settlement.receipt
    return { success: true, payer, transaction, network: networkText, amount: amount?.toString(), extensions, extra }
  }
  const code = settlement.status === 'unknown' ? 'settlement_pending' : wireCode(version, settlement.code)
  const message = settlement.status === 'refused' ? settlement.detail : undefined
  return {
    success: false,
    errorReason: code,
    errorMessage: message,
    payer: settlement.payer,
    transaction: settlement.transaction ?? '',
    network: networkText,
  }
}

/**
 * A settlement from its wire form. Refuses `invalid_payload` for an answer that is not a settlement at all.
 * A reason outside the registry becomes `unexpected_settle_error`, its words going into `detail`.
 *
 * @example
 * decodeSettlement(await response.json())
 */
export function decodeSettlement(wire: unknown): Decoded<Settlement> {
  const checked = check(v2.SettleResponse, wire)
  if (!checked.ok) return checked
  const { success, errorReason, errorMessage, transaction, payer, extensions, extra } = checked.value
  const network = networkByV1Name(checked.value.network) ?? checked.value.network
  if (success) {
    if (!isNetwork(network)) return refuse('invalid_payload', 'network is missing or malformed')
    const amount = checked.value.amount == null ? undefined : parseAtomic(checked.value.amount)
    const receipt = {
      payer: payer ?? '',
      network,
      transaction,
      ...(amount === undefined ? {} : { amount }),
      ...(extra == null ? {} : { extra: objectOf(extra) }),
      ...(extensions == null ? {} : { extensions: objectOf(extensions) }),
    }
    return { ok: true, value: { status: 'settled', receipt } }
  }
  const common = { ...(payer == null ? {} : { payer }), ...(transaction === '' ? {} : { transaction }) }
  const reason = errorReason?.split(': ', 1)[0] ?? ''
  if (reason === 'settlement_pending')
    return { ok: true, value: { status: 'unknown', retryAfter: DEFAULT_RETRY_AFTER, ...common } }
  const code = isErrorCode(reason) ? reason : 'unexpected_settle_error'
  const detail = errorMessage ?? (code === reason ? undefined : (errorReason ?? undefined))
  return {
    ok: true,
    value: { status: 'refused', code, ...(detail === undefined ? {} : { detail: detail.slice(0, 500) }), ...common },
  }
}

/**
 * The receipt header of an answer.
 *
 * @example
 * const { name, value } = encodeReceipt(2, offer.network, outcome)
 */
export function encodeReceipt(
  version: X402Version,
  network: Network,
  settlement: Settlement,
): { readonly name: string; readonly value: string } {
  return {
    name: headerNames[version].response,
    value: encodeBase64Text(asciiJson(encodeSettlement(version, network, settlement))),
  }
}

/**
 * Reads the receipt of an answer, whichever version it speaks. `undefined` when it carries none.
 *
 * @example
 * decodeReceipt((name) => response.headers.get(name))
 */
export function decodeReceipt(getHeader: GetHeader): Decoded<Settlement> | undefined {
  const header = getHeader(headerNames[2].response) ?? getHeader(headerNames[1].response)
  if (!header) return undefined
  const text = decodeBase64Text(header)
  if (!text.ok) return text
  const object = decodeJsonObject(text.value)
  return object.ok ? decodeSettlement(object.value) : object
}
