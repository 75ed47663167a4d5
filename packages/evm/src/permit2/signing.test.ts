import { hashTypedData } from 'viem'
import { describe, expect, test } from 'vitest'
import { type Address, parseAddress } from '../address.js'
import { nobleEngine } from '../crypto/noble.js'
import { formatHex, type Hex } from '../hex.js'
import { EXACT_PERMIT2_PROXY, UPTO_PERMIT2_PROXY } from './contracts.js'
import { definePermit, type PermitKind, type PermitTransfer, type WitnessValues } from './signing.js'

const token = at('0x036CbD53842c5426634e7929541eC2318f3dCF7e')
const seller = at('0x70997970C51812dc3A010C7d01b50e0d17dc79C8')
const facilitator = at('0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC')
const repeated = (byte: string) => BigInt(`0x${byte.repeat(32)}`)
const deadline = 2_000_000_000n

const exact = definePermit<{ to: Address; validAfter: bigint }>({
  name: 'Witness',
  fields: [
    { name: 'to', type: 'address' },
    { name: 'validAfter', type: 'uint256' },
  ],
})
const upto = definePermit<{ to: Address; facilitator: Address; validAfter: bigint }>({
  name: 'Witness',
  fields: [
    { name: 'to', type: 'address' },
    { name: 'facilitator', type: 'address' },
    { name: 'validAfter', type: 'uint256' },
  ],
})
const deposit = definePermit<{ channelId: Hex }>({
  name: 'DepositWitness',
  fields: [{ name: 'channelId', type: 'bytes32' }],
})
const bare = definePermit()

describe('the digests of the published vectors', () => {
  test('V2 exact', () => {
    const transfer = { token, amount: 10_000n, spender: EXACT_PERMIT2_PROXY, nonce: repeated('22'), deadline }
    check(
      exact,
      transfer,
      { to: seller, validAfter: 0n },
      '0xbe0ee9b2108932273066e7d15ff92efa4f108b1d22f12c61c7154e019edf297b',
    )
  })
  test('V3 upto', () => {
    const transfer = { token, amount: 50_000n, spender: UPTO_PERMIT2_PROXY, nonce: repeated('33'), deadline }
    const witness = { to: seller, facilitator, validAfter: 0n }
    check(upto, transfer, witness, '0x8ad50c19f22bbd8a06f6f52b6317608015c47fb1dd068bb955733a2293deda8b')
  })
  test('V10 a deposit, whose witness stands before TokenPermissions', () => {
    const spender = at('0x4020425FAf3B746C082C2f942b4E5159887B0005')
    const channelId = '0xa4266a906400c4df5de4237ccd253336a2abb969d19ff27b03fa4af923e2e729'
    const transfer = { token, amount: 5_000n, spender, nonce: repeated('55'), deadline }
    check(deposit, transfer, { channelId }, '0x799b429a28d2c356cf178dfd80d41f9c0970e9a21ac5d709ef60d9d4e7d5d09c')
  })
  test('V11 a transfer without a witness', () => {
    const spender = at('0xD69831Aed5bfe262067ec4c751f4F830EcdD446e')
    const nonce = 108399902645809311002750437311979166850398679131319221371636293314066663906541n
    const transfer = { token, amount: 1_000_000n, spender, nonce, deadline }
    check(bare, transfer, {}, '0x4ae85f648466340f8b161b7d3adf0fa558bf0b94d9c8e0bc01f127feed55f56d')
  })
})

/** Our digest is the published one, and what a wallet makes of the typed data is the same. */
function check<W extends WitnessValues>(kind: PermitKind<W>, transfer: PermitTransfer, witness: W, digest: Hex): void {
  expect(formatHex(kind.digest(nobleEngine, 84_532n, transfer, witness))).toBe(digest)
  // Typed data of unknown types: viem cannot check them and need not.
  expect(hashTypedData(kind.typedData(84_532n, transfer, witness) as Parameters<typeof hashTypedData>[0])).toBe(digest)
}

function at(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(text)
  return address
}
