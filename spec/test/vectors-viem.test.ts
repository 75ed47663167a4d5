import { type Hex, hashDomain, hashStruct, hashTypedData, recoverAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { readJson, type VectorCase, type VectorFile } from '../scripts/lib/vectors.js'
import { root } from './support.js'

// A second source for what the vectors claim, which shares no code with @groat/evm.

const { cases } = readJson<VectorFile>(root, 'vectors/evm/exact-eip3009.json')

const EIP712Domain = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
] as const

const TransferWithAuthorization = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const

describe('viem agrees', () => {
  for (const { id, op, input, expect: expected } of cases) {
    if (op === 'hashTransferWithAuthorization') {
      test(`${id} ${op}`, () => {
        const { domain, data, typed } = typedData(input)
        expect({
          domainSeparator: hashDomain({
            domain: { ...domain, chainId: BigInt(domain.chainId) },
            types: { EIP712Domain },
          }),
          structHash: hashStruct({ data, primaryType: typed.primaryType, types: typed.types }),
          digest: hashTypedData(typed),
        }).toEqual(expected)
      })
    }

    if (op === 'signTransferWithAuthorization') {
      test(`${id} ${op}`, async () => {
        const account = privateKeyToAccount(String(input.privateKey) as Hex)
        const signature = await account.signTypedData(typedData(input).typed)
        expect({ signature, signer: account.address }).toEqual(expected)
      })
    }

    if (op === 'recoverSigner' && expected.signer !== null) {
      test(`${id} ${op}`, async () => {
        const signature = String(input.signature).toLowerCase() as Hex
        expect(await recoverAddress({ hash: String(input.digest) as Hex, signature })).toBe(expected.signer)
      })
    }

    if (op === 'verifyExact' && expected.valid === true && (input as VerifyInput).chain.payerCode === '0x') {
      test(`${id} ${op} is signed by its payer`, async () => {
        const { payment, requirements } = input as VerifyInput
        const { extra, asset, network } = requirements
        const chainId = network === 'base-sepolia' ? 84532 : Number(network.slice('eip155:'.length))
        const domain = { ...extra, chainId, verifyingContract: asset }
        const { typed } = typedData({ domain, message: payment.payload.authorization })
        const { signature } = payment.payload
        expect(await recoverAddress({ hash: hashTypedData(typed), signature })).toBe(expected.payer)
      })
    }
  }
})

type VerifyInput = VectorCase['input'] & {
  readonly chain: { readonly payerCode: string }
  readonly payment: { readonly payload: { readonly signature: Hex; readonly authorization: object } }
  readonly requirements: { readonly network: string; readonly asset: Hex; readonly extra: object }
}

type Domain = { name: string; version: string; chainId: number; verifyingContract: Hex }
type Message = Record<'from' | 'to' | 'value' | 'validAfter' | 'validBefore' | 'nonce', string>

function typedData(input: Readonly<Record<string, unknown>>) {
  const { name, version, chainId, verifyingContract } = input.domain as Domain
  const { from, to, value, validAfter, validBefore, nonce } = input.message as Message
  const domain = { name, version, chainId, verifyingContract }
  const data = {
    from: from.toLowerCase() as Hex,
    to: to.toLowerCase() as Hex,
    value: BigInt(value),
    validAfter: BigInt(validAfter),
    validBefore: BigInt(validBefore),
    nonce: nonce as Hex,
  }
  const types = { TransferWithAuthorization }
  return { domain, data, typed: { domain, types, primaryType: 'TransferWithAuthorization' as const, message: data } }
}
