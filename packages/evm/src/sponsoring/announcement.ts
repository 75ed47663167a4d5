import type { JsonObject, PaymentRequirements } from '@groat/core'

/**
 * What a challenge with an offer by Permit2 announces, as far as the facilitator does it: by EIP-2612 permit, or by an approval that somebody
 * else pays for.
 *
 * @example
 * announcements(offer) // { eip2612GasSponsoring: …, erc20ApprovalGasSponsoring: … }
 */
export function announcements({ extra }: PaymentRequirements): Readonly<Record<string, JsonObject>> {
  return extra.assetTransferMethod === 'permit2' ? ANNOUNCED : {}
}

const text = { type: 'string' }

function announce(description: string, members: readonly string[]): JsonObject {
  const properties = Object.fromEntries(members.map((name) => [name, text]))
  return { info: { description, version: '1' }, schema: { type: 'object', properties, required: members } }
}

const SHARED = ['from', 'asset', 'spender', 'amount', 'version']

const ANNOUNCED: Readonly<Record<string, JsonObject>> = {
  eip2612GasSponsoring: announce('Permit2 is allowed by a permit (EIP-2612) that is sent along.', [
    ...SHARED,
    'nonce',
    'deadline',
    'signature',
  ]),
  erc20ApprovalGasSponsoring: announce('Permit2 is allowed by a signed approval that is paid for and sent.', [
    ...SHARED,
    'signedTransaction',
  ]),
}
