import { verifySignature } from '../crypto/ed25519.js'
import { sha256 } from '../crypto/sha256.js'
import type { Key } from '../wire/address.js'
import { joinBytes, littleEndian, readU16, readU32, readU64, sameBytes } from '../wire/bytes.js'
import { associatedTokenAccount, type DerivedAddress, deriveAddress } from '../wire/derived-address.js'
import type { PlannedInstruction } from '../wire/message.js'
import { programs } from '../wire/programs.js'

/** What makes a channel the one it is. */
export type ChannelSeeds = {
  readonly payer: Key
  /** Who pays the fee holds this seat, and gets nothing by it. */
  readonly payee: Key
  readonly mint: Key
  /** Whose vouchers count. */
  readonly authorizedSigner: Key
  /** 64 bits. */
  readonly salt: bigint
  /** Slot at which it is opened; good for 1,500 more. */
  readonly openSlot: bigint
}

/** What a channel is opened with. */
export type ChannelOpening = ChannelSeeds & {
  readonly tokenProgram: Key
  /** Atomic units that are locked: the most that can be charged. */
  readonly deposit: bigint
  /** Seconds that the payer waits after closing it alone. */
  readonly grace: number
  /** Who gets what is charged, all of it. */
  readonly recipient: Key
}

/** The arguments of an instruction that opens a channel. */
export type OpenArguments = Pick<ChannelOpening, 'salt' | 'deposit' | 'grace' | 'openSlot'> & {
  readonly recipients: readonly { readonly key: Key; readonly basisPoints: number }[]
}

/** Everything, in hundredths of a percent. */
export const ALL = 10_000

const OPEN = 1
const text = (words: string) => new TextEncoder().encode(words)

/**
 * The address of a channel.
 *
 * @example
 * channelAddress({ payer, payee, mint, authorizedSigner, salt: 42n, openSlot: 341_000_000n }).key
 */
export function channelAddress(seeds: ChannelSeeds): DerivedAddress {
  const { payer, payee, mint, authorizedSigner, salt, openSlot } = seeds
  const numbers = [littleEndian(salt, 8), littleEndian(openSlot, 8)]
  return deriveAddress(programs.paymentChannels, [text('channel'), payer, payee, mint, authorizedSigner, ...numbers])
}

/**
 * What the program writes its events by.
 *
 * @example
 * formatAddress(eventAuthority)
 */
export const eventAuthority: Key = deriveAddress(programs.paymentChannels, [text('event_authority')]).key

/**
 * The instruction that opens a channel; the account that pays the fee pays its rent.
 *
 * @example
 * openChannel(opening)
 */
export function openChannel(opening: ChannelOpening): PlannedInstruction {
  return { program: programs.paymentChannels, accounts: channelAccounts(opening), data: encodeOpen(opening) }
}

/**
 * The fourteen accounts of the instruction that opens a channel, in their order.
 *
 * @example
 * channelAccounts(opening)[5] // the channel
 */
export function channelAccounts(opening: ChannelOpening): PlannedInstruction['accounts'] {
  const { payer, payee, mint, authorizedSigner, tokenProgram } = opening
  const channel = channelAddress(opening).key
  return [
    { key: payer, signer: true, writable: true },
    { key: payee, signer: true, writable: true },
    { key: payee },
    { key: mint },
    { key: authorizedSigner },
    { key: channel, writable: true },
    { key: associatedTokenAccount(payer, tokenProgram, mint), writable: true },
    { key: associatedTokenAccount(channel, tokenProgram, mint), writable: true },
    { key: tokenProgram },
    { key: programs.system },
    { key: programs.rentSysvar },
    { key: programs.associatedToken },
    { key: eventAuthority },
    { key: programs.paymentChannels },
  ]
}

/**
 * The data of an instruction that opens a channel with one recipient.
 *
 * @example
 * encodeOpen(opening) // 67 bytes
 */
export function encodeOpen({ salt, deposit, grace, openSlot, recipient }: ChannelOpening): Uint8Array {
  const numbers = [littleEndian(salt, 8), littleEndian(deposit, 8), littleEndian(grace, 4), littleEndian(openSlot, 8)]
  return joinBytes(Uint8Array.of(OPEN), ...numbers, encodeRecipients(recipient))
}

/**
 * The arguments of an instruction that opens a channel; `undefined` for any other.
 *
 * @example
 * decodeOpen(encodeOpen(opening))?.deposit
 */
export function decodeOpen(data: Uint8Array): OpenArguments | undefined {
  const count = readU32(data, 29)
  if (data[0] !== OPEN || data.length !== 33 + 34 * count) return undefined
  return {
    salt: readU64(data, 1),
    deposit: readU64(data, 9),
    grace: readU32(data, 17),
    openSlot: readU64(data, 21),
    recipients: Array.from({ length: count }, (_, i) => {
      const at = 33 + 34 * i
      return { key: data.subarray(at, at + 32), basisPoints: readU16(data, at + 32) }
    }),
  }
}

/**
 * The hash by which a channel remembers who gets what is charged.
 *
 * @example
 * distributionHash(payTo)
 */
export function distributionHash(recipient: Key): Uint8Array {
  return sha256(encodeRecipients(recipient))
}

/** How much of a channel may be charged, in all, and until when the voucher is good. */
export type Voucher = {
  readonly channel: Key
  /** Atomic units. */
  readonly cumulative: bigint
  /** Seconds since 1970. */
  readonly expiresAt: bigint
}

/**
 * The 50 bytes of a voucher, which the authorized signer signs.
 *
 * @example
 * const signature = await account.sign(encodeVoucher({ channel, cumulative: 1858n, expiresAt }))
 */
export function encodeVoucher({ channel, cumulative, expiresAt }: Voucher): Uint8Array {
  return joinBytes(
    Uint8Array.of(0x56, 1),
    channel,
    littleEndian(cumulative, 8),
    littleEndian(BigInt.asUintN(64, expiresAt), 8),
  )
}

/**
 * Tells whether a key signed a voucher.
 *
 * @example
 * await isVoucherSigned(voucher, authorizedSigner, signature)
 */
export async function isVoucherSigned(voucher: Voucher, signer: Key, signature: Uint8Array): Promise<boolean> {
  return verifySignature(signer, signature, encodeVoucher(voucher))
}

/**
 * Whether a channel is opened as its terms want it.
 *
 * @example
 * isOpening(decoded, opening)
 */
export function isOpening(
  { salt, deposit, grace, openSlot, recipients }: OpenArguments,
  terms: ChannelOpening,
): boolean {
  const [only] = recipients
  return (
    salt === terms.salt &&
    deposit === terms.deposit &&
    grace === terms.grace &&
    openSlot === terms.openSlot &&
    recipients.length === 1 &&
    only !== undefined &&
    only.basisPoints === ALL &&
    sameBytes(only.key, terms.recipient)
  )
}

function encodeRecipients(recipient: Key): Uint8Array {
  return joinBytes(littleEndian(1, 4), recipient, littleEndian(ALL, 2))
}
