import type { SvmTweak } from '../chain/svm.js'
import { expectThat, fail } from '../model/finding.js'
import { type Instruction, instruction, keypairOf, programs, tokenAccountOf } from '../wire/solana.js'
import { expectRefused, expectSettled, expectValid } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith, refusal } from './check.js'
import { expectMoved, type FacilitatorStage, type Scene } from './stage.js'

const check = facilitatorChecksWith({ families: ['svm'] })

const of = (name: string) => [`invalid_exact_svm_${name}`]

/** A transaction that ought to be refused. */
const refused = (
  id: string,
  what: string,
  codes: readonly string[],
  tweak: (scene: Scene, stage: FacilitatorStage) => SvmTweak | Promise<SvmTweak>,
): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const scene = await stage.scene()
    const payload = await stage.svm.sign(scene.payer, scene.terms, await tweak(scene, stage))
    return { payment: stage.withPayload(scene, payload), requirements: scene.requirements }
  })

/** A payload that ought to be refused. */
const refusedPayload = (
  id: string,
  what: string,
  codes: readonly string[],
  change: (transaction: string) => unknown,
): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const scene = await stage.scene()
    const { transaction } = scene.payload as { readonly transaction: string }
    return {
      payment: stage.withPayload(scene, { transaction: change(transaction) }),
      requirements: scene.requirements,
    }
  })

const refusedOnTerms = (
  id: string,
  what: string,
  codes: readonly string[],
  extra: (scene: Scene) => object,
  echoed?: object,
): FacilitatorCheck =>
  refusal(check, id, what, codes, async (stage) => {
    const scene = await stage.scene()
    const requirements = { ...scene.requirements, extra: extra(scene) }
    return { payment: { ...scene.payment, accepted: { ...requirements, ...echoed } }, requirements }
  })

const layout = 'payload_transaction_instructions'
const undecodable = [...of('payload_transaction_could_not_be_decoded'), 'invalid_payload']
const other = keypairOf(new Uint8Array(32).fill(77))

/** `exact` on Solana. */
export const exactSvmChecks: readonly FacilitatorCheck[] = [
  check('SVM-EXACT-020/scheme', 'an echoed offer of another scheme is refused', async (stage) => {
    const scene = await stage.scene()
    const accepted = { ...scene.requirements, scheme: 'upto' }
    const codes = [...of('unsupported_scheme'), 'no_matching_requirements']
    expectRefused(
      await stage.verify({ ...scene.payment, accepted }, scene.requirements),
      codes,
      'an echoed offer of another scheme',
    )
  }),
  check('SVM-EXACT-021/network', 'an echoed offer of another network is refused', async (stage) => {
    const scene = await stage.scene()
    const accepted = { ...scene.requirements, network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' }
    const codes = [...of('network_mismatch'), 'no_matching_requirements']
    expectRefused(
      await stage.verify({ ...scene.payment, accepted }, scene.requirements),
      codes,
      'an echoed offer of another network',
    )
  }),
  refusedOnTerms(
    'SVM-EXACT-022/no-fee-payer',
    'an offer without extra.feePayer',
    [...of('payload_missing_fee_payer'), 'invalid_payment_requirements'],
    () => ({}),
  ),
  refusedOnTerms(
    'SVM-EXACT-023/stranger',
    'a fee payer for which it cannot sign',
    of('fee_payer_not_managed_by_facilitator'),
    () => ({ feePayer: other.address }),
  ),
  refused(
    'SVM-EXACT-025/unsigned',
    'a transaction that the payer did not sign',
    of('payload_signature_invalid'),
    () => ({ signers: () => [] }),
  ),
  refusedPayload(
    'SVM-EXACT-025/changed',
    'a transaction that was changed after signing',
    [...of('payload_signature_invalid'), ...undecodable],
    (transaction) => {
      const bytes = Buffer.from(transaction, 'base64')
      const at = bytes.length - 12
      bytes[at] = (bytes[at] ?? 0) ^ 1
      return bytes.toString('base64')
    },
  ),
  refusedPayload('SVM-EXACT-026/text', 'a transaction that is no base64', undecodable, () => '!!!not base64!!!'),
  refusedPayload('SVM-EXACT-026/cut', 'half a transaction', undecodable, (transaction) =>
    Buffer.from(transaction, 'base64').subarray(0, 200).toString('base64'),
  ),
  refusedPayload('SVM-EXACT-026/left-over', 'a transaction with bytes behind it', undecodable, (transaction) =>
    Buffer.concat([Buffer.from(transaction, 'base64'), Buffer.alloc(8)]).toString('base64'),
  ),
  refusedPayload('SVM-EXACT-033/number', 'a transaction that is a number', undecodable, () => 7),
  refused(
    'SVM-EXACT-027/version-1',
    'a message of version 1',
    ['unsupported_transaction_version', ...undecodable],
    () => ({
      message: (usual) => ({ ...usual, version: 1 }),
    }),
  ),
  refused(
    'SVM-EXACT-030/fee-payer',
    'a message whose first account is somebody else',
    of('fee_payer_mismatch'),
    () => ({
      message: (usual) => ({ ...usual, feePayer: other.address }),
      signers: (usual) => [...usual, other],
    }),
  ),
  refused('SVM-EXACT-031/two', 'a message of two instructions', of(`${layout}_length`), () => ({
    instructions: ([limit, price]) => [limit, price],
  })),
  refused('SVM-EXACT-031/eight', 'a message of eight instructions', of(`${layout}_length`), () => ({
    instructions: ([limit, price, transfer, memo]) => [limit, price, transfer, memo, memo, memo, memo, memo],
  })),
  refused(
    'SVM-EXACT-034/limit',
    'a message that does not begin with a compute limit',
    of(`${layout}_compute_limit_instruction`),
    () => ({
      instructions: ([limit, price, transfer, memo]) => [price, limit, transfer, memo],
    }),
  ),
  refused(
    'SVM-EXACT-035/price',
    'a message without a compute price',
    of(`${layout}_compute_price_instruction`),
    () => ({
      instructions: ([limit, , transfer, memo]) => [limit, memo, transfer, memo],
    }),
  ),
  refused(
    'SVM-EXACT-036/high-price',
    'a price of 5,000,001 millionths',
    of(`${layout}_compute_price_instruction_too_high`),
    () => ({
      instructions: ([limit, , transfer, memo]) => [limit, instruction.unitPrice(5_000_001n), transfer, memo],
    }),
  ),
  refused('SVM-EXACT-037/no-transfer', 'a message without a transfer', of('payload_no_transfer_instruction'), () => ({
    instructions: ([limit, price, , memo]) => [limit, price, memo, memo],
  })),
  refused(
    'SVM-EXACT-037/plain-transfer',
    'a Transfer in the place of a TransferChecked',
    of('payload_no_transfer_instruction'),
    () => ({
      instructions: ([limit, price, transfer, memo]) => [limit, price, plainTransfer(transfer), memo],
    }),
  ),
  refused(
    'SVM-EXACT-033/fee-payer-named',
    'a message in which an instruction names the fee payer',
    [...of('payload_fee_payer_not_isolated'), ...of('payload_unknown_fourth_instruction'), ...of('payload_memo_count')],
    ({ terms }) => ({
      instructions: ([limit, price, transfer, memo]) => [
        limit,
        price,
        transfer,
        { ...memo, accounts: [{ address: String(terms.extra.feePayer), signer: true, writable: true }] },
      ],
    }),
  ),
  refused(
    'SVM-EXACT-032/from-fee-payer',
    "a transfer of the fee payer's own money",
    [...of('payload_transaction_fee_payer_transferring_funds'), 'payer_is_facilitator'],
    ({ terms }) => ({
      instructions: ([limit, price, transfer, memo]) => {
        const feePayer = String(terms.extra.feePayer)
        const [, mint, destination] = transfer.accounts
        const source = { address: tokenAccountOf(feePayer, terms.asset), writable: true }
        const accounts = [source, mint, destination, { address: feePayer, signer: true }].filter(
          (each) => each !== undefined,
        )
        return [limit, price, { ...transfer, accounts }, memo]
      },
    }),
  ),
  refused('SVM-EXACT-039/mint', 'a transfer of another mint', of('payload_mint_mismatch'), () => ({
    instructions: ([limit, price, transfer, memo]) => [limit, price, replaced(transfer, 1, other.address), memo],
  })),
  refused(
    'SVM-EXACT-040/recipient',
    'a transfer to somebody else',
    of('payload_recipient_mismatch'),
    async (_, stage) => ({ payTo: await stage.rail.recipient() }),
  ),
  refused('SVM-EXACT-041/less', 'a transfer of one unit too little', of('payload_amount_mismatch'), () => ({
    amount: 9_999n,
  })),
  refused('SVM-EXACT-041/more', 'a transfer of one unit too much', of('payload_amount_mismatch'), () => ({
    amount: 10_001n,
  })),
  refused(
    'SVM-EXACT-042/system-transfer',
    'a message that also moves SOL',
    [...of('payload_unknown_fourth_instruction'), ...of('payload_fee_payer_not_isolated')],
    ({ payer }) => ({
      instructions: ([limit, price, transfer, memo]) => [
        limit,
        price,
        transfer,
        solTransfer(payer.address, other.address),
        memo,
      ],
    }),
  ),
  refused('SVM-EXACT-044/no-memo', 'a message without a memo', of('payload_memo_count'), () => ({
    instructions: ([limit, price, transfer]) => [limit, price, transfer],
  })),
  check('SVM-EXACT-045/memo-asked', 'an offer with a memo is paid with exactly that memo', async (stage) => {
    const plain = await stage.scene()
    const extra = { ...plain.terms.extra, memo: 'order 4711' }
    const scene = await stage.scene({ terms: { extra } })
    expectValid(await stage.verify(scene.payment, scene.requirements), 'a payment with the memo that is asked for')
    const doubled = await stage.svm.sign(scene.payer, scene.terms, {
      instructions: ([limit, price, transfer, memo]) => [limit, price, transfer, memo, memo],
    })
    expectRefused(
      await stage.verify(stage.withPayload(scene, doubled), scene.requirements),
      of('payload_memo_count'),
      'the memo twice',
    )
  }),
  check('SVM-EXACT-046/memo-other', 'another memo than the one that is asked for is refused', async (stage) => {
    const plain = await stage.scene()
    const scene = await stage.scene({ terms: { extra: { ...plain.terms.extra, memo: 'order 4711' } } })
    const payload = await stage.svm.sign(scene.payer, scene.terms, {
      instructions: ([limit, price, transfer]) => [limit, price, transfer, instruction.memo('order 4712')],
    })
    expectRefused(
      await stage.verify(stage.withPayload(scene, payload), scene.requirements),
      of('payload_memo_mismatch'),
      'another memo',
    )
  }),
  refused(
    'SVM-EXACT-047/units',
    'a message that asks for 1,400,000 compute units',
    of(`${layout}_compute_limit_instruction_too_high`),
    () => ({
      instructions: ([, price, transfer, memo]) => [instruction.unitLimit(1_400_000), price, transfer, memo],
    }),
  ),
  refused('SVM-EXACT-048/fee', 'a message that may cost a million lamports', of('payload_fee_above_limit'), () => ({
    instructions: ([, , transfer, memo]) => [
      instruction.unitLimit(200_000),
      instruction.unitPrice(5_000_000n),
      transfer,
      memo,
    ],
  })),
  refused(
    'SVM-EXACT-029/signers',
    'a message with three signers',
    [...of('payload_excessive_signers'), ...of('payload_unknown_fourth_instruction'), ...of('payload_memo_count')],
    () => ({
      instructions: ([limit, price, transfer, memo]) => [
        limit,
        price,
        transfer,
        { ...memo, accounts: [{ address: other.address, signer: true }] },
      ],
      signers: (usual) => [...usual, other],
    }),
  ),
  check('SVM-EXACT-057/no-account', 'a recipient without a token account is refused', async (stage) => {
    const scene = await stage.scene({
      terms: { payTo: keypairOf(Buffer.from('no account of the kit, 32 bytes!')).address },
    })
    const verdict = await stage.verify(scene.payment, scene.requirements)
    expectRefused(verdict, of('destination_ata_missing'), 'a recipient without a token account')
  }),
  check('SVM-EXACT-058/balance', 'a payer who holds one unit too little is refused', async (stage) => {
    const scene = await stage.scene({ holds: 9_999n })
    const codes = [...of('insufficient_balance'), ...of('transaction_simulation_failed')]
    expectRefused(await stage.verify(scene.payment, scene.requirements), codes, 'a payer who holds one unit too little')
  }),
  check('SVM-EXACT-054/simulation', 'a transaction that would fail is refused', async (stage) => {
    const scene = await stage.scene({ holds: 0n })
    const verdict = await stage.verify(scene.payment, scene.requirements)
    expectRefused(verdict, [], 'a transaction that would fail')
  }),
  refused(
    'SVM-EXACT-059/old-blockhash',
    'a message whose blockhash the chain never knew',
    ['payment_expired', ...of('transaction_simulation_failed')],
    () => ({
      message: (usual) => ({ ...usual, blockhash: other.address }),
    }),
  ),
  check('SVM-EXACT-061/as-verified', 'what lands is the message that the payer signed', async (stage) => {
    const scene = await stage.scene({ amount: 12_345n })
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt)
    await expectMoved(stage, scene, 1, receipt)
  }),
  check(
    'SVM-EXACT-067/slot-of-the-fee-payer',
    'a payment whose empty slot is filled is the same payment',
    async (stage) => {
      const scene = await stage.scene()
      const first = await stage.settle(scene.payment, scene.requirements)
      expectSettled(first)
      const { transaction } = scene.payload as { readonly transaction: string }
      const bytes = Buffer.from(transaction, 'base64')
      bytes.fill(7, 1, 65)
      const second = await stage.settle(
        stage.withPayload(scene, { transaction: bytes.toString('base64') }),
        scene.requirements,
      )
      await expectMoved(stage, scene, 1, first)
      if (second.success && second.transaction !== first.transaction)
        fail('one message settled twice', first.transaction, second.transaction)
    },
  ),
  check('SVM-EXACT-081/amount-v1', 'a payment of version 1 settles for maxAmountRequired', async (stage) => {
    const scene = await stage.scene({ version: 1 })
    expectValid(await stage.verify(scene.payment, scene.requirements), 'a payment of version 1 that is right')
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a payment of version 1 that is right')
    await expectMoved(stage, scene, 1, receipt)
  }),
  check('SVM-EXACT-083/network-v1', 'a payment of version 1 on another network is refused', async (stage) => {
    const scene = await stage.scene({ version: 1 })
    const verdict = await stage.verify({ ...scene.payment, network: 'solana' }, scene.requirements)
    expectRefused(
      verdict,
      [...of('network_mismatch'), 'network_mismatch', 'no_matching_requirements'],
      'a payment that names another network',
    )
  }),
]

function replaced(of: Instruction, at: number, address: string): Instruction {
  return { ...of, accounts: of.accounts.map((each, index) => (index === at ? { ...each, address } : each)) }
}

/** Transfer, instruction 3 of the token program: neither mint nor decimals. */
function plainTransfer({ program, accounts, data }: Instruction): Instruction {
  const [source, , destination, authority] = accounts
  expectThat(
    source !== undefined && destination !== undefined && authority !== undefined,
    'a transfer has four accounts',
  )
  return {
    program,
    accounts: [source, destination, authority],
    data: Buffer.concat([Uint8Array.of(3), data.subarray(1, 9)]),
  }
}

function solTransfer(from: string, to: string): Instruction {
  const data = Buffer.alloc(12)
  data.writeUInt32LE(2)
  data.writeBigUInt64LE(1n, 4)
  return {
    program: programs.system,
    accounts: [
      { address: from, signer: true, writable: true },
      { address: to, writable: true },
    ],
    data,
  }
}
