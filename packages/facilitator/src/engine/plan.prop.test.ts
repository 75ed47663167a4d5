import { type ChainOutcome, refuse, type SendOutcome, type Verdict } from '@groat/core'
import fc from 'fast-check'
import { test } from 'vitest'
import type { Attempt, Evidence } from '../journal/record.js'
import { edges, isLive, isOpen, type SettlementState } from '../journal/state.js'
import { type Known, MAX_ATTEMPTS, plan } from './plan.js'

// A world that answers anything, also what no chain would answer, and a settlement that follows the plan through it.

type Answers = {
  readonly deep: readonly boolean[]
  readonly blocks: readonly string[]
  readonly gone: readonly boolean[]
  readonly verdicts: readonly boolean[]
  readonly sends: readonly SendOutcome['status'][]
  readonly looks: readonly (ChainOutcome['status'] | 'reverted before')[]
  readonly clock: readonly number[]
}

const EXPIRES = 100
const REFUSAL = refuse('payment_expired')

const answers: fc.Arbitrary<Answers> = fc.record({
  verdicts: fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
  sends: fc.array(fc.constantFrom('accepted', 'unknown', 'nonce_taken', 'rejected'), { minLength: 1, maxLength: 20 }),
  looks: fc.array(
    fc.oneof(
      { arbitrary: fc.constant<'pending'>('pending'), weight: 3 },
      fc.constantFrom('settled' as const, 'dead' as const, 'reverted' as const, 'reverted before' as const),
    ),
    { minLength: 1, maxLength: 30 },
  ),
  clock: fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 30 }),
  gone: fc.array(fc.boolean(), { minLength: 1, maxLength: 10 }),
  deep: fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
  blocks: fc.array(fc.constantFrom('b', 'c'), { minLength: 1, maxLength: 10 }),
})

function walk({ verdicts, sends, looks, clock, deep, blocks, gone }: Answers): void {
  let state = 'claimed' as SettlementState
  let attempts: readonly Attempt[] = []
  let known: Omit<Known, 'record' | 'now'> = {}
  let now = 0
  let stepsSinceWait = 0
  let evidence: Evidence | undefined
  const asked = { verdict: 0, send: 0, look: 0, wait: 0, deep: 0, block: 0, gone: 0 }

  const go = (to: SettlementState) => {
    law(edges[state].includes(to), 'along an edge')
    state = to
  }
  const setStatus = (attempt: Attempt, status: Attempt['status']) => {
    attempts = attempts.map((each) => (each === attempt ? { ...each, status } : each))
  }
  const look = (): ChainOutcome => {
    const status = looks[asked.look++ % looks.length] ?? 'pending'
    const last = attempts.at(-1)?.transaction.hash ?? 'none'
    if (status === 'settled') {
      const blockHash = blocks[asked.block++ % blocks.length] ?? 'b'
      return { status, transaction: last, logIndex: 0, blockNumber: 1n, blockHash, amount: 1n }
    }
    if (status === 'dead') return { status, refusal: REFUSAL }
    if (status === 'pending') return { status }
    return { status: 'reverted', transaction: status === 'reverted' ? last : 'another', refusal: REFUSAL }
  }

  for (let i = 0; i < 100; i++) {
    const record = { state, attempts, expiresAt: EXPIRES, ...(evidence === undefined ? {} : { evidence }) }
    const step = plan({ record, now, ...known })
    if (step.do === 'done') {
      law(!isOpen(state), 'done is done')
      return
    }
    law(isOpen(state), 'an end is not touched')
    stepsSinceWait = step.do === 'wait' ? 0 : stepsSinceWait + 1
    law(stepsSinceWait <= 8 * MAX_ATTEMPTS, 'no loop spins')
    const { chain } = known
    switch (step.do) {
      case 'check': {
        const verdict: Verdict = verdicts[asked.verdict++ % verdicts.length]
          ? { ok: true, payer: 'p' }
          : refuse('invalid_exact_evm_signature')
        if (!verdict.ok) {
          known = { verdict }
          break
        }
        law(!attempts.some(isLive), 'a second transaction only when no first one can land')
        const nonce = BigInt(attempts.length)
        attempts = [
          ...attempts,
          { transaction: { hash: `h${nonce}`, signer: 's', nonce, raw: '' }, status: 'signed', slot: `s${nonce}` },
        ]
        if (state === 'claimed') go('signed')
        known = {}
        break
      }
      case 'look':
        known = { ...known, chain: look(), isDeep: deep[asked.deep++ % deep.length] ?? true }
        known = { ...known, stands: deep[asked.deep++ % deep.length] ?? false }
        known = { ...known, gone: attempts.some(isLive) && (gone[asked.gone++ % gone.length] ?? false) }
        break
      case 'send': {
        law(isLive(step.attempt), 'only what can land is sent')
        const status = sends[asked.send++ % sends.length] ?? 'accepted'
        const answer: SendOutcome =
          status === 'unknown'
            ? { status, reason: '' }
            : status === 'rejected'
              ? { status, code: 'signer_out_of_gas' }
              : { status }
        known = { ...known, said: answer }
        if (status !== 'accepted') break
        setStatus(step.attempt, 'sent')
        if (state === 'signed') go('sent')
        break
      }
      case 'close':
        law(
          isLive(step.attempt) || (step.attempt.status === 'void' && step.as === 'failed'),
          'only what can land is closed, or what has failed after it was given up',
        )
        if (step.as === 'failed') {
          const { hash } = step.attempt.transaction
          law(chain?.status === 'reverted' && chain.transaction === hash, 'failed by its own receipt')
        } else {
          law(known.gone === true, 'void by its nonce, which was seen to be gone for long enough')
          law(chain?.status === 'pending' || chain?.status === 'reverted', 'and looked for, and not found')
        }
        setStatus(step.attempt, step.as)
        known = {}
        break
      case 'wait':
        now += clock[asked.wait++ % clock.length] ?? 0
        known = known.verdict === undefined ? {} : { verdict: known.verdict }
        break
      case 'mine':
        law(chain?.status === 'settled' && known.isDeep === false, 'evidence, not deep enough')
        go('mined')
        evidence = step.evidence
        break
      case 'undo':
        law(evidence !== undefined && chain !== undefined, 'only what was there can be gone')
        law(chain?.status === 'settled' || known.stands === false, 'what stands is not gone')
        go('reorged')
        evidence = undefined
        known = {}
        break
      case 'settle':
        law(chain?.status === 'settled' && known.isDeep === true, 'settled by evidence, deep enough')
        law(
          evidence === undefined || evidence.blockHash === step.evidence.blockHash,
          'in the block that was written down',
        )
        go('settled')
        break
      case 'refuse':
        law(attempts.length === 0 && chain !== undefined, 'refused only unsigned, and looked for')
        go('refused')
        break
      case 'bury':
        law(state !== 'claimed' && chain?.status === 'dead', 'dead by proof')
        go('dead')
        break
    }
    law(attempts.filter(isLive).length <= 1, 'one live transaction')
    law(attempts.length <= MAX_ATTEMPTS, 'gas is spent on so many')
  }
}

/** What must hold; cheaper than an assertion library, for there are many steps. */
function law(holds: boolean, words: string): void {
  if (!holds) throw new Error(`broken: ${words}`)
}

test('INV-6, INV-8, INV-22: one live transaction, no end without proof, never back, whatever the world answers', () => {
  fc.assert(fc.property(answers, walk), { numRuns: 3000 })
})
