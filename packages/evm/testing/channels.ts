import {
  type Facilitator,
  type FacilitatorRequest,
  type PaymentRequirements,
  type Settlement,
  systemRandom,
} from '@groat/core'
import type { EvmChain as Sandbox } from '@groat/sandbox'
import type { batchEvm as clientHalf } from '../src/batch-settlement/client.js'
import type { batchEvm as facilitatorHalf } from '../src/batch-settlement/facilitator.js'
import type { ChannelLedger } from '../src/batch-settlement/ledger.js'
import type { EvmChain } from '../src/chain.js'
import type { Hex } from '../src/hex.js'
import { batchRequest } from './batch.js'
import { PAYER } from './payments.js'

/** What the engine does, without its journal. */
export function batchFacilitator(
  sandbox: Sandbox,
  chain: EvmChain,
  by: ReturnType<typeof facilitatorHalf>,
): Facilitator {
  // One after the other, as a lane does it.
  let last: Promise<unknown> = Promise.resolve()
  const settle: Facilitator['settle'] = (request) => {
    const mine = last.then(() => settleNow(request))
    last = mine.catch(() => undefined)
    return mine
  }
  async function settleNow({ payment, requirements }: FacilitatorRequest): Promise<Settlement> {
    const verdict = await by.verify(payment, requirements, { now: Date.now(), settling: true })
    if (!verdict.ok) return { status: 'refused', code: verdict.code }
    const call = await by.prepare(payment, requirements)
    const [signer] = chain.signers
    if (call === undefined || signer === undefined) throw new TypeError('nothing to send')
    const sent = await chain.sign(call, { signer, nonce: (await chain.nextNonce?.(signer)) ?? 0n })
    await chain.send(sent)
    await sandbox.client.waitForTransactionReceipt({ hash: sent.hash as Hex })
    const outcome = await by.outcome(payment, requirements, [sent])
    if (outcome.status !== 'settled') return { status: 'refused', code: 'unexpected_settle_error' }
    const extra = await by.receiptExtra?.(payment, requirements)
    const { transaction, amount } = outcome
    const { network } = requirements
    return { status: 'settled', receipt: { payer: PAYER, network, transaction, amount, ...(extra && { extra }) } }
  }

  return {
    verify: async ({ payment, requirements }) => by.verify(payment, requirements, { now: Date.now() }),
    settle,
    supported: async () => ({ kinds: [], extensions: [], signers: {} }),
  }
}

/** A payment for an offer, signed. */
export async function signBatch(
  by: ReturnType<typeof clientHalf>,
  terms: PaymentRequirements,
): Promise<{ pid: string; request: FacilitatorRequest }> {
  const prepared = await by.prepare(terms, { clock: Date.now, random: systemRandom, maxLifetimeSeconds: 600 })
  if (!prepared.ok) throw new TypeError(prepared.code)
  return { pid: prepared.pid, request: { payment: batchRequest(terms, await prepared.sign()), requirements: terms } }
}

/** A paid request, as the gate has it: verify, work, settle for what is charged; the payer learns of it. */
export async function buyBatch(
  ledger: ChannelLedger,
  by: ReturnType<typeof clientHalf>,
  terms: PaymentRequirements,
  charged = terms.amount,
) {
  const { pid, request } = await signBatch(by, terms)
  const verdict = await ledger.facilitator.verify(request)
  if (!verdict.ok) return verdict
  const outcome = await ledger.facilitator.settle({ ...request, requirements: { ...terms, amount: charged } })
  if (outcome.status === 'settled') await by.settled?.(pid as never, outcome.receipt)
  return outcome
}
