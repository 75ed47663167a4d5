import type { FacilitatorRequest } from '@groat/core'
import { expect, test } from 'vitest'
import { keyOf } from '../../evm/testing/delegation.js'
import { until, useFacilitator } from './chain-kit.js'

// A payer that takes its signature back while the payment is under way, and a chain that undoes that.

const on = useFacilitator()
type Hex = `0x${string}`
const word = (value: bigint) => value.toString(16).padStart(64, '0')
const attempts = () => on.tables().selectFrom('attempt').select(['hash', 'status', 'raw']).execute()
const states = async () =>
  (await on.tables().selectFrom('settlement').select('state').execute()).map(({ state }) => state)

const cancellations = {
  'EIP-3009': async ({ payment }: FacilitatorRequest) => {
    const { nonce } = payment.payload.authorization as { nonce: Hex }
    const by = keyOf(on.chain, 'payer')
    const types = {
      CancelAuthorization: [
        { name: 'authorizer', type: 'address' },
        { name: 'nonce', type: 'bytes32' },
      ],
    } as const
    const domain = { name: 'USDC', version: '2', chainId: 84_532, verifyingContract: on.chain.usdc }
    const message = { authorizer: by.address, nonce }
    const text = await by.signTypedData({ domain, types, primaryType: 'CancelAuthorization', message })
    // cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)
    const v = BigInt(`0x${text.slice(130)}`)
    return {
      to: on.chain.usdc,
      data: `0x5a049a70${word(BigInt(by.address))}${nonce.slice(2)}${word(v)}${text.slice(2, 130)}`,
    }
  },
  Permit2: async ({ payment }: FacilitatorRequest) => {
    const nonce = BigInt((payment.payload.permit2Authorization as { nonce: string }).nonce)
    // invalidateUnorderedNonces(uint256,uint256)
    return { to: on.chain.permit2, data: `0x3ff9dcb1${word(nonce >> 8n)}${word(1n << (nonce & 255n))}` }
  },
} as const

test.each(['EIP-3009', 'Permit2'] as const)(
  'EVM-EXACT-078 a payment by %s that its payer took back is not over while that may be undone: the same bytes settle it then, once',
  async (method) => {
    const { chain } = on
    await on.approvePermit2('payer')
    const service = await on.serve({ settleTimeout: 300 })
    const request = method === 'Permit2' ? await on.payByPermit2() : await on.pay()
    const { to, data } = await cancellations[method](request)
    await chain.setAutomine(false)
    void service.settle(request)
    await until(async () => (await chain.client.getBlock({ blockTag: 'pending' })).transactions.length === 1)
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 11n }
    const from = chain.account('payer').address
    await chain.client.sendUnsignedTransaction({ from, to, data: data as Hex, gas: 200_000n, ...fees })
    await chain.mine()
    const [{ hash, raw } = { hash: '', raw: '' }] = await attempts()
    expect((await chain.client.getTransactionReceipt({ hash: hash as Hex })).status).toBe('reverted')
    for (let i = 0; i < 3; i++) expect(await service.settle(request)).toMatchObject({ status: 'unknown' })
    expect(await states()).not.toContain('dead')

    await chain.reorg(1)
    // As nodes do with what was in a block that was undone, if they still have it.
    await chain.client.sendRawTransaction({ serializedTransaction: raw as Hex }).catch(() => undefined)
    await until(async () => {
      await chain.mine()
      return (await service.settle(request)).status === 'settled'
    })
    expect((await attempts()).map((each) => each.hash)).toEqual([hash])
    await on.expectMoved(1)
  },
)
