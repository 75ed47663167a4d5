import { expect, test } from 'vitest'
import { paymentId } from '../model/identity.js'
import { network } from '../model/network.js'
import type { PaymentRequirements } from '../model/payment.js'
import { createMadeTransfers } from './made-transfers.js'

const offer: PaymentRequirements = {
  ...{ scheme: 'transfer-proof', network: network('base'), amount: 1000n, asset: '0xaa', payTo: '0xbb' },
  ...{ maxTimeoutSeconds: 60, extra: {} },
}
const told = (transaction: string) => ({
  transaction,
  network: 'eip155:8453',
  asset: '0xaa',
  payTo: '0xbb',
  amount: 1000n,
})
const presented = (transaction: string, purpose: string, until: number) => ({
  pid: paymentId([transaction]),
  ...{ purpose, until },
})

test('EVM-PROOF-002 SVM-PROOF-002 who has paid twice for one thing presents both transfers, one after the other or at once', async () => {
  const made = createMadeTransfers([told('a'), told('b')])
  expect(await made.find(offer, 'report', 0)).toBe('a')
  expect(made.take('a', presented('a', 'report', 60), 0)).toBe(true)
  // While the first is on its way.
  expect(made.take('a', presented('a', 'report', 60), 1)).toBe(false)
  expect(await made.find(offer, 'report', 1)).toBe('b')
  // What the seller took is used up, and what it never took can be presented again, for the same thing.
  made.settled(paymentId(['a']))
  expect(made.take('b', presented('b', 'report', 61), 1)).toBe(true)
  expect(await made.find(offer, 'report', 60)).toBeUndefined()
  expect(await made.find(offer, 'else', 61)).toBeUndefined()
  expect(await made.find(offer, 'report', 61)).toBe('b')
  expect(await made.find({ ...offer, amount: 999n }, 'report', 61)).toBeUndefined()
})
