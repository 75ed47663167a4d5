import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

/** Where Permit2 and those who take by it are, on every chain. */
export const permit2Address = '0x000000000022D473030F116dDEE9F6B43aC78BA3'
export const exactProxy = '0x402085c248EeA27D92E8b30b2C58ed07f9E20001'
export const uptoProxy = '0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002'
export const depositCollector = '0x4020425FAf3B746C082C2f942b4E5159887B0005'

/** What a payer lets a contract take by Permit2; integers as decimal text. */
export type Permit = {
  readonly from: string
  readonly permitted: { readonly token: string; readonly amount: string }
  readonly spender: string
  readonly nonce: string
  readonly deadline: string
  /** What the spender is bound to. */
  readonly witness: Readonly<Record<string, string>>
}

/** The EIP-712 domain of Permit2, which has no version. */
export type PermitDomain = {
  readonly name: string
  readonly chainId: number
  readonly verifyingContract: string
}

/** The struct that a witness is, by who may take. */
export type WitnessKind = keyof typeof witnesses

/** Signs the permit with the key. */
export function signPermit(key: Hex, kind: WitnessKind, domain: PermitDomain, permit: Permit): Promise<Hex> {
  const { permitted, spender, nonce, deadline, witness } = permit
  const { name, fields } = witnesses[kind]
  const types = {
    PermitWitnessTransferFrom: [
      { name: 'permitted', type: 'TokenPermissions' },
      { name: 'spender', type: 'address' },
      { name: 'nonce', type: 'uint256' },
      { name: 'deadline', type: 'uint256' },
      { name: 'witness', type: name },
    ],
    TokenPermissions: [
      { name: 'token', type: 'address' },
      { name: 'amount', type: 'uint256' },
    ],
    [name]: [...fields],
  }
  return privateKeyToAccount(key).signTypedData({
    domain: { ...domain, verifyingContract: domain.verifyingContract as Hex },
    types,
    primaryType: 'PermitWitnessTransferFrom',
    // The types are made at run time: viem encodes integers from text too.
    message: { permitted, spender, nonce, deadline, witness } as Record<string, unknown>,
  })
}

const to = { name: 'to', type: 'address' } as const
const validAfter = { name: 'validAfter', type: 'uint256' } as const

const witnesses = {
  exact: { name: 'Witness', fields: [to, validAfter] },
  upto: { name: 'Witness', fields: [to, { name: 'facilitator', type: 'address' }, validAfter] },
  deposit: { name: 'DepositWitness', fields: [{ name: 'channelId', type: 'bytes32' }] },
} as const
