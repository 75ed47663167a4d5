import { randomBytes } from 'node:crypto'
import { codeMutants } from './facilitator-codes.js'
import { listingMutants } from './facilitator-listing.js'
import { asSaid, type Fault, saying } from './middle.js'

/** A broken facilitator, and checks that have to notice it. Fresh state for every run of it. */
export type Mutant = {
  readonly name: string
  /** Ids of checks; `evm` or `svm` at the end picks the chain. */
  readonly kills: readonly string[]
  readonly fault: (env: Readonly<Record<string, string>>) => Fault
}

// biome-ignore lint/suspicious/noExplicitAny: a mutant spoils whatever it finds.
type Json = any

const fakeHash = () => `0x${randomBytes(32).toString('hex')}`
const payerIn = (body: Json): string =>
  body?.paymentPayload?.payload?.authorization?.from ?? '0x0000000000000000000000000000000000000001'
const networkIn = (body: Json): string => body?.paymentRequirements?.network ?? ''
const pays = (body: Json) => ({
  success: true,
  transaction: fakeHash(),
  network: networkIn(body),
  payer: payerIn(body),
})

/** Overlooks one reason for refusing. */
const accepts = (reason: string, ...kills: string[]): Mutant => ({
  name: `accepts ${reason}`,
  kills,
  fault: () => async (passing, forward) => {
    const said = await forward()
    const isIt = said.json?.invalidReason === reason || said.json?.code === reason
    if (passing.path !== '/verify' || !isIt) return asSaid(said)
    return { json: { isValid: true, payer: payerIn(passing.json) } }
  },
})

/** Says something else at one endpoint. */
const answers = (
  name: string,
  path: string,
  kills: readonly string[],
  change: (json: Json, body: Json) => unknown,
  status?: number,
): Mutant => ({
  name,
  kills,
  fault: () => async (passing, forward) => {
    const said = await forward()
    return passing.path === path && said.json !== undefined
      ? saying(said, change(said.json, passing.json), status ?? said.status)
      : asSaid(said)
  },
})

/** Hears something else. */
const hears = (name: string, kills: readonly string[], change: (body: Json) => unknown): Mutant => ({
  name,
  kills,
  fault: () => async (passing, forward) =>
    asSaid(await forward(passing.json === undefined ? {} : { json: change(passing.json) })),
})

/** Keeps a catalogue, and not a good one. */
const lists = (name: string, kills: readonly string[], catalogue: object): Mutant => ({
  name,
  kills,
  fault:
    () =>
    async ({ path }, forward) =>
      path.startsWith('/discovery/') ? { json: catalogue } : asSaid(await forward()),
})

const evmReasons: readonly (readonly [string, ...string[]])[] = [
  [
    'invalid_exact_evm_signature',
    'EVM-EXACT-035/other-key/evm',
    'EVM-EXACT-035/domain-chainId/evm',
    'EVM-EXACT-037/upper-s/evm',
    'FAC-030/any-change/evm',
  ],
  ['invalid_exact_evm_failed_to_parse_signature', 'EVM-EXACT-034/text/evm', 'EVM-EXACT-034/odd/evm'],
  ['invalid_exact_evm_recipient_mismatch', 'EVM-EXACT-041/recipient/evm'],
  ['invalid_exact_evm_payload_authorization_value_mismatch', 'EVM-EXACT-042/less/evm', 'EVM-EXACT-042/more/evm'],
  ['invalid_exact_evm_authorization_value', 'EVM-EXACT-082/other-amount-v1/evm'],
  [
    'invalid_exact_evm_payload_authorization_valid_before',
    'EVM-EXACT-043/expired/evm',
    'EVM-EXACT-043/nearly-expired/evm',
  ],
  ['invalid_exact_evm_payload_authorization_valid_after', 'EVM-EXACT-044/future/evm'],
  ['invalid_exact_evm_authorization_lifetime', 'EVM-EXACT-045/long/evm'],
  ['invalid_exact_evm_nonce_already_used', 'EVM-EXACT-047/used/evm'],
  ['invalid_exact_evm_insufficient_balance', 'EVM-EXACT-048/balance/evm'],
  ['invalid_exact_evm_transaction_simulation_failed', 'EVM-EXACT-049/blacklisted/evm'],
  ['invalid_exact_evm_missing_eip712_domain', 'EVM-EXACT-032/without-name/evm'],
  ['asset_not_allowed', 'EVM-EXACT-054/other-token/evm'],
  ['unsupported_transfer_method', 'EVM-EXACT-051/method/evm'],
  ['invalid_network', 'FAC-012/network/evm'],
  ['unsupported_scheme', 'FAC-011/scheme/evm'],
  ['no_matching_requirements', 'FAC-013/payTo/evm', 'FAC-013/asset/evm'],
  ['invalid_x402_version', 'CORE-002/version-3/evm', 'FAC-006/contradiction/evm'],
  [
    'invalid_payload',
    'FAC-010/without-payload/evm',
    'EVM-EXACT-033/without-nonce/evm',
    'CORE-051/number/evm',
    'CORE-004/accepted-in-version-1/evm',
  ],
  ['invalid_payment_requirements', 'FAC-009/without-amount/evm'],
]

const svmReasons: readonly (readonly [string, ...string[]])[] = [
  ['invalid_exact_svm_payload_amount_mismatch', 'SVM-EXACT-041/less/svm'],
  ['invalid_exact_svm_payload_recipient_mismatch', 'SVM-EXACT-040/recipient/svm'],
  ['invalid_exact_svm_payload_mint_mismatch', 'SVM-EXACT-039/mint/svm'],
  ['invalid_exact_svm_payload_memo_count', 'SVM-EXACT-044/no-memo/svm'],
  ['invalid_exact_svm_payload_memo_mismatch', 'SVM-EXACT-046/memo-other/svm'],
  ['invalid_exact_svm_payload_signature_invalid', 'SVM-EXACT-025/unsigned/svm'],
  ['invalid_exact_svm_payload_fee_above_limit', 'SVM-EXACT-048/fee/svm'],
  ['invalid_exact_svm_payload_transaction_instructions_length', 'SVM-EXACT-031/eight/svm'],
  [
    'invalid_exact_svm_payload_transaction_instructions_compute_price_instruction_too_high',
    'SVM-EXACT-036/high-price/svm',
  ],
  ['invalid_exact_svm_payload_no_transfer_instruction', 'SVM-EXACT-037/plain-transfer/svm'],
  ['invalid_exact_svm_fee_payer_mismatch', 'SVM-EXACT-030/fee-payer/svm'],
  ['invalid_exact_svm_fee_payer_not_managed_by_facilitator', 'SVM-EXACT-023/stranger/svm'],
  ['invalid_exact_svm_destination_ata_missing', 'SVM-EXACT-057/no-account/svm'],
  ['payment_expired', 'SVM-EXACT-059/old-blockhash/svm'],
]

// Permit2 says the same of `exact` and of `upto`.
const permitReasons: readonly (readonly [string, ...string[]])[] = [
  ['invalid_permit2_spender', 'EVM-EXACT-110/spender/evm', 'EVM-UPTO-033/spender/evm'],
  ['invalid_permit2_recipient_mismatch', 'EVM-EXACT-111/recipient/evm', 'EVM-UPTO-034/recipient/evm'],
  [
    'permit2_deadline_expired',
    'EVM-EXACT-112/expired/evm',
    'EVM-EXACT-112/nearly-expired/evm',
    'EVM-UPTO-038/nearly-expired/evm',
  ],
  ['permit2_not_yet_valid', 'EVM-EXACT-113/future/evm', 'EVM-UPTO-039/future/evm'],
  ['permit2_authorization_lifetime', 'EVM-EXACT-114/long/evm', 'EVM-UPTO-040/long/evm'],
  [
    'permit2_amount_mismatch',
    'EVM-EXACT-115/less/evm',
    'EVM-EXACT-115/more/evm',
    'EVM-UPTO-036/less/evm',
    'EVM-UPTO-036/more/evm',
  ],
  ['permit2_token_mismatch', 'EVM-EXACT-116/token/evm', 'EVM-UPTO-037/token/evm'],
  [
    'invalid_permit2_signature',
    'EVM-EXACT-119/other-key/evm',
    'EVM-EXACT-119/domain/evm',
    'EVM-EXACT-119/upper-s/evm',
    'EVM-EXACT-119/compact/evm',
    'EVM-EXACT-119/changed-nonce/evm',
    'EVM-EXACT-120/contract-wallet/evm',
    'EVM-UPTO-047/other-key/evm',
    'EVM-UPTO-047/upper-s/evm',
    'EVM-UPTO-047/compact/evm',
    'EVM-UPTO-048/contract-wallet/evm',
  ],
  ['permit2_invalid_nonce', 'EVM-EXACT-123/used/evm'],
  ['permit2_insufficient_balance', 'EVM-EXACT-124/balance/evm', 'EVM-UPTO-043/poor/evm'],
  ['permit2_allowance_required', 'EVM-EXACT-125/allowance/evm', 'EVM-UPTO-049/allowance/evm'],
  ['unsupported_transfer_method', 'EVM-EXACT-051/permit/evm'],
  ['invalid_upto_evm_scheme', 'EVM-UPTO-030/scheme/evm'],
  ['invalid_upto_evm_network_mismatch', 'EVM-UPTO-031/network/evm'],
  ['upto_facilitator_mismatch', 'EVM-UPTO-035/facilitator/evm', 'EVM-UPTO-042/stranger/evm'],
  ['upto_exposure_exceeded', 'EVM-UPTO-045/exposure/evm'],
]

const batchReasons: readonly (readonly [string, ...string[]])[] = (
  [
    ['scheme', '030/scheme'],
    ['network_mismatch', '031/network'],
    ['payload_type', '032/type'],
    ['channel_id_mismatch', '033/channel-id'],
    ['voucher_signature', '034/other-key', '034/upper-s', '034/other-sum', '035/no-authorizer'],
    ['receive_authorization_signature', '036/other-key'],
    ['receiver_mismatch', '037/receiver'],
    ['receiver_authorizer_mismatch', '037/authorizer'],
    ['token_mismatch', '037/token'],
    ['withdraw_delay_mismatch', '037/delay'],
    ['payload_authorization_valid_before', '038/expired'],
    ['permit2_invalid_spender', '038/permit-spender'],
    ['permit2_amount_mismatch', '038/permit-amount'],
    ['permit2_deadline_expired', '038/permit-expired'],
    ['insufficient_balance', '039/balance'],
    ['permit2_allowance_required', '039/allowance'],
    ['cumulative_exceeds_balance', '040/too-much'],
    ['channel_not_found', '040/empty'],
    ['cumulative_below_claimed', '041/old'],
  ] as const
).map(([reason, ...kills]) => [`invalid_batch_settlement_evm_${reason}`, ...kills.map((id) => `EVM-BATCH-${id}/evm`)])

const settled = '/settle'
const schemeIn = (body: Json): string => body?.paymentRequirements?.scheme ?? ''
const typeIn = (body: Json): string => body?.paymentPayload?.payload?.type ?? ''
const key = (body: Json) => JSON.stringify(body?.paymentPayload?.payload)

/** Broken in one way each. */
export const facilitatorMutants: readonly Mutant[] = [
  ...evmReasons.map(([reason, ...kills]) => accepts(reason, ...kills)),
  ...svmReasons.map(([reason, ...kills]) => accepts(reason, ...kills)),
  ...permitReasons.map(([reason, ...kills]) => accepts(reason, ...kills)),
  ...batchReasons.map(([reason, ...kills]) => accepts(reason, ...kills)),
  accepts('invalid_exact_evm_authorization_lifetime', 'EVM-BATCH-038/long/evm'),
  accepts(
    'invalid_payload',
    'EVM-EXACT-117/without-nonce/evm',
    'EVM-EXACT-117/list/evm',
    'EVM-UPTO-032/without-witness/evm',
    'EVM-BATCH-032/without-voucher/evm',
  ),
  answers('upto without an account', '/supported', ['EVM-UPTO-001/account/evm'], (json) => ({
    ...json,
    kinds: json.kinds.map(({ extra, ...kind }: Json) => (kind.scheme === 'upto' ? kind : { ...kind, extra })),
  })),
  {
    name: 'charges the whole ceiling',
    kills: ['EVM-UPTO-051/part/evm', 'EVM-UPTO-054/nothing/evm'],
    fault: () => async (passing, forward) => {
      const body = passing.json as Json
      if (passing.path !== settled || schemeIn(body) !== 'upto') return asSaid(await forward())
      const amount = body.paymentPayload.accepted.amount
      return asSaid(await forward({ json: { ...body, paymentRequirements: { ...body.paymentRequirements, amount } } }))
    },
  },
  {
    name: 'settles a ceiling again that was charged nothing',
    kills: ['EVM-UPTO-055/used-up/evm'],
    fault: () => async (passing, forward) => {
      const body = passing.json as Json
      const isNothing = passing.path === settled && body?.paymentRequirements?.amount === '0'
      return isNothing ? { json: { ...pays(body), transaction: '' } } : asSaid(await forward())
    },
  },
  {
    name: 'counts ceilings for ever',
    kills: ['EVM-UPTO-046/charged/evm'],
    fault: () => {
      const seen = new Map<string, string>()
      return async (passing, forward) => {
        const body = passing.json as Json
        const permit = body?.paymentPayload?.payload?.permit2Authorization
        if (passing.path !== '/verify' || schemeIn(body) !== 'upto' || permit === undefined)
          return asSaid(await forward())
        const first = seen.get(permit.from) ?? permit.nonce
        seen.set(permit.from, first)
        return first === permit.nonce
          ? asSaid(await forward())
          : { json: { isValid: false, invalidReason: 'upto_exposure_exceeded', payer: permit.from } }
      }
    },
  },
  {
    name: 'makes a payment that it did not make itself wait',
    kills: ['EVM-EXACT-132/front-run/evm'],
    fault: () => async (passing, forward) => {
      const said = await forward()
      const permit = (passing.json as Json)?.paymentPayload?.payload?.permit2Authorization
      const late = passing.path === settled && permit !== undefined && schemeIn(passing.json) === 'exact'
      return late ? saying(said, { ...said.json, success: false, errorReason: 'permit2_invalid_nonce' }) : asSaid(said)
    },
  },
  {
    name: 'knows no vouchers',
    kills: ['EVM-BATCH-034/good/evm'],
    fault: () => async (passing, forward) =>
      typeIn(passing.json) === 'voucher'
        ? { json: { isValid: false, invalidReason: 'invalid_batch_settlement_evm_payload_type' } }
        : asSaid(await forward()),
  },
  {
    name: 'wants a timeout for claims',
    kills: ['EVM-BATCH-065/no-timeout/evm'],
    fault: () => async (passing, forward) =>
      (passing.json as Json)?.paymentRequirements?.maxTimeoutSeconds === 0
        ? { json: { success: false, errorReason: 'invalid_payment_requirements', transaction: '', network: '' } }
        : asSaid(await forward()),
  },
  {
    name: 'puts nothing of a channel on chain and says success',
    kills: [
      'FAC-038/deposit-eip3009/evm',
      'FAC-038/deposit-permit2/evm',
      'FAC-031/deposit-twice/evm',
      'FAC-038/claim/evm',
      'EVM-BATCH-060/refund/evm',
    ],
    fault: () => async (passing, forward) =>
      passing.path === settled && schemeIn(passing.json) === 'batch-settlement'
        ? { json: pays(passing.json) }
        : asSaid(await forward()),
  },
  answers('verdicts are faults', '/verify', ['FAC-020/verdict/evm', 'EVM-EXACT-048/balance/evm'], (json) => json, 500),
  answers('no reason', '/verify', ['FAC-021/code/evm'], ({ invalidReason: _, ...rest }) => rest),
  answers('a reason in prose', '/verify', ['FAC-021/code/evm'], (json) =>
    json.invalidReason ? { ...json, invalidReason: 'you are poor' } : json,
  ),
  answers('a reason although valid', '/verify', ['FAC-022/no-reason/evm'], (json) => ({
    invalidReason: 'none',
    ...json,
  })),
  answers('no payer', '/verify', ['FAC-023/payer/evm'], ({ payer: _, ...rest }) => rest),
  {
    name: 'verify settles',
    kills: ['FAC-024/verify-moves-nothing/evm', 'FAC-025/verify-claims-nothing/evm'],
    fault: () => async (passing, forward) => {
      const said = await forward()
      if (passing.path === '/verify') await forward({ path: settled })
      return asSaid(said)
    },
  },
  {
    name: 'verify claims',
    kills: ['FAC-025/verify-claims-nothing/evm'],
    fault: () => {
      const seen = new Set<string>()
      return async (passing, forward) => {
        if (passing.path === '/verify' && seen.has(key(passing.json)))
          return { json: { isValid: false, invalidReason: 'payment_already_used' } }
        if (passing.path === '/verify') seen.add(key(passing.json))
        return asSaid(await forward())
      }
    },
  },
  {
    name: 'phantom: settles nothing and says success',
    kills: [
      'FAC-038/settles/evm',
      'FAC-031/twice/evm',
      'FAC-036/evidence/evm',
      'EVM-EXACT-061/values/evm',
      'EVM-EXACT-130/values/evm',
      'EVM-UPTO-051/all/evm',
    ],
    fault: () => async (passing, forward) =>
      passing.path === settled ? { json: pays(passing.json) } : asSaid(await forward()),
  },
  {
    name: 'says success of what it refused',
    kills: [
      'FAC-030/poor/evm',
      'FAC-030/other-amount/evm',
      'FAC-039/reason/evm',
      'FAC-033/other-terms/evm',
      'FAC-050/other-signature/evm',
      'FAC-050/other-permit-signature/evm',
      'EVM-UPTO-041/above/evm',
      'EVM-BATCH-060/without-word/evm',
      'EVM-BATCH-061/other-word/evm',
      'EVM-BATCH-061/nothing-due/evm',
      'EVM-BATCH-064/nothing-new/evm',
    ],
    fault: () => async (passing, forward) => {
      const said = await forward()
      return passing.path === settled && said.json?.success === false ? { json: pays(passing.json) } : asSaid(said)
    },
  },
  {
    name: 'a new transaction for every question',
    kills: [
      'FAC-031/twice/evm',
      'FAC-032/first-receipt/evm',
      'FAC-047/one-transaction/evm',
      'FAC-031/at-once/evm',
      'FAC-031/races/evm',
      'FAC-031/sequences/evm',
      'FAC-031/permit2-twice/evm',
      'FAC-031/upto-twice/evm',
    ],
    fault: () => {
      const seen = new Set<string>()
      return async (passing, forward) => {
        if (passing.path !== settled) return asSaid(await forward())
        if (seen.has(key(passing.json))) return { json: pays(passing.json) }
        seen.add(key(passing.json))
        return asSaid(await forward())
      }
    },
  },
  {
    name: 'the first receipt under any terms',
    kills: ['FAC-033/other-terms/evm', 'FAC-050/other-signature/evm'],
    fault: () => {
      const receipts = new Map<string, Json>()
      return async (passing, forward) => {
        if (passing.path !== settled) return asSaid(await forward())
        const nonce = (passing.json as Json)?.paymentPayload?.payload?.authorization?.nonce
        const known = receipts.get(nonce)
        if (known !== undefined) return { json: known }
        const said = await forward()
        if (said.json?.success === true) receipts.set(nonce, said.json)
        return asSaid(said)
      }
    },
  },
  answers('refusals have the status 402', settled, ['FAC-046/status/evm'], (json) => json, 402),
  answers('no errorReason', settled, ['FAC-039/reason/evm'], ({ errorReason: _, ...rest }) => rest),
  answers('null for no transaction', settled, ['FAC-040/empty-transaction/evm'], (json) => ({
    ...json,
    transaction: json.transaction || null,
  })),
  answers('the name of version 1 for the network', settled, ['FAC-041/network/evm'], (json) => ({
    ...json,
    network: 'base-sepolia',
  })),
  answers('CAIP-2 names in version 1', settled, ['FAC-041/network-v1/evm'], (json) => ({
    ...json,
    network: 'eip155:84532',
  })),
  answers('a reason although settled', settled, ['FAC-042/no-reason/evm'], (json) => ({
    errorReason: 'none',
    ...json,
  })),
  answers('no network', settled, ['FAC-041/network/evm', 'FAC-046/status/evm'], ({ network: _, ...rest }) => rest),
  answers('kinds are an object', '/supported', ['FAC-060/kinds', 'FAC-061/concrete'], (json) => ({
    ...json,
    kinds: { 0: json.kinds[0] },
  })),
  answers('a kind twice', '/supported', ['FAC-060/once'], (json) => ({
    ...json,
    kinds: [...json.kinds, json.kinds[0]],
  })),
  answers('a pattern of networks', '/supported', ['FAC-061/concrete'], (json) => ({
    ...json,
    kinds: [...json.kinds, { x402Version: 2, scheme: 'exact', network: 'eip155:*' }],
  })),
  answers('CAIP-2 names in kinds of version 1', '/supported', ['FAC-062/names'], (json) => ({
    ...json,
    kinds: json.kinds.map((kind: Json) => ({
      ...kind,
      network: kind.network === 'base-sepolia' ? 'eip155:84532' : kind.network,
    })),
  })),
  answers('no extensions', '/supported', ['FAC-063/extensions'], ({ extensions: _, ...rest }) => rest),
  answers('no signers', '/supported', ['FAC-064/signers/evm'], ({ signers: _, ...rest }) => rest),
  {
    name: 'lists what it cannot settle',
    kills: [
      'FAC-065/settles/evm',
      'FAC-038/without-verify/evm',
      'FAC-046/status/evm',
      'EVM-EXACT-081/amount-v1/evm',
      'EVM-EXACT-067/front-run/evm',
      'FAC-037/two-payments/evm',
      'FAC-030/spent-meanwhile/evm',
      'FAC-080/settled/evm',
      'FAC-038/verified-settles/evm',
    ],
    fault: () => async (passing, forward) =>
      passing.path === settled ? { status: 503, json: { code: 'rpc_unreachable' } } : asSaid(await forward()),
  },
  {
    name: 'wants the version at the top',
    kills: ['FAC-004/no-version/evm'],
    fault: () => async (passing, forward) =>
      passing.path === '/verify' && (passing.json as Json)?.x402Version === undefined
        ? { status: 400, json: {} }
        : asSaid(await forward()),
  },
  hears(
    'does not look at the version at the top',
    ['FAC-006/contradiction/evm'],
    ({ x402Version: _, ...rest }) => rest,
  ),
  hears(
    'does not look at the echoed offer',
    ['FAC-013/payTo/evm', 'EVM-EXACT-031/network/evm', 'EVM-EXACT-030/scheme/evm'],
    (body) =>
      body?.paymentPayload?.accepted
        ? { ...body, paymentPayload: { ...body.paymentPayload, accepted: body.paymentRequirements } }
        : body,
  ),
  {
    name: '200 for what is no object',
    kills: ['FAC-007/not-an-object'],
    fault: () => async (_passing, forward) => {
      const said = await forward()
      return said.status === 400 ? { json: { isValid: false, invalidReason: 'invalid_payload' } } : asSaid(said)
    },
  },
  {
    name: 'any media type',
    kills: ['FAC-016/media-type'],
    fault: () => async (passing, forward) =>
      asSaid(await forward({ headers: { ...passing.headers, 'content-type': 'application/json' } })),
  },
  {
    name: 'bodies of any size',
    kills: ['FAC-008/large-body'],
    fault:
      () =>
      async ({ text }, forward) =>
        text.length > 900_000
          ? { json: { isValid: false, invalidReason: 'invalid_payload' } }
          : asSaid(await forward()),
  },
  {
    name: 'knows no other members',
    kills: ['CORE-013/unknown-members/evm', 'CORE-013/any-member/evm'],
    fault:
      () =>
      async ({ text }, forward) =>
        text.includes('"x-') ? { status: 400, json: { code: 'invalid_payload' } } : asSaid(await forward()),
  },
  {
    name: 'members in order',
    kills: ['CORE-017/order/evm'],
    fault:
      () =>
      async ({ text }, forward) =>
        /"accepted":.*"x402Version":2,?\}|"payload":.*"accepted":/.test(text)
          ? { json: { isValid: false, invalidReason: 'invalid_payload' } }
          : asSaid(await forward()),
  },
  {
    name: 'the last of two keys',
    kills: ['CORE-012/same-key-twice/evm'],
    // Parsing and writing again keeps the last one.
    fault: () => async (passing, forward) =>
      asSaid(await forward(passing.json === undefined ? {} : { json: passing.json })),
  },
  {
    name: '__proto__ reaches its own objects',
    kills: ['SEC-005/prototype/evm'],
    fault: () => {
      let poisoned = false
      return async ({ text, path }, forward) => {
        poisoned ||= text.includes('__proto__')
        return poisoned && path === '/verify' ? { json: { isValid: true } } : asSaid(await forward())
      }
    },
  },
  {
    name: 'falls over strange messages',
    kills: ['SEC-003/any-json', 'SEC-003/any-change/evm'],
    fault: () => async (_passing, forward) => {
      const said = await forward()
      return ['invalid_payload', 'invalid_x402_version', 'invalid_payment_requirements'].includes(
        said.json?.invalidReason ?? said.json?.errorReason,
      )
        ? { status: 500, text: 'TypeError: undefined is not an object' }
        : asSaid(said)
    },
  },
  {
    name: 'knows every settlement',
    kills: ['FAC-082/unknown'],
    fault:
      () =>
      async ({ path }, forward) =>
        path.startsWith('/settlements/') ? { json: { status: 'refused' } } : asSaid(await forward()),
  },
  {
    name: 'tells a settlement wrong',
    kills: ['FAC-080/settled/evm', 'EVM-EXACT-133/identity/evm', 'EVM-UPTO-050/identity/evm'],
    fault:
      () =>
      async ({ path }, forward) => {
        const said = await forward()
        return path.startsWith('/settlements/') && said.status === 200
          ? saying(said, { ...said.json, status: 'unknown' })
          : asSaid(said)
      },
  },
  lists('a catalogue under another name', ['FAC-120/form'], { resources: [] }),
  lists('a catalogue of texts', ['FAC-121/items'], { items: ['https://api.example/report'] }),
  lists('all of a catalogue on every page', ['FAC-122/limit'], { items: [{}, {}] }),
  lists('a catalogue without filters', ['BAZAAR-021/filters', 'BAZAAR-023/unknown', 'BAZAAR-023/malformed'], {
    items: [{ resource: 'https://api.example/report', type: 'http', accepts: [] }],
  }),
  lists('the same page again', ['BAZAAR-022/pages'], { items: [{ resource: 'a' }, { resource: 'b' }] }),
  lists('finds everything', ['BAZAAR-024/words'], { items: [], resources: [{ resource: 'a' }] }),
  answers('is never alive', '/livez', ['FAC-090/livez'], (json) => json, 500),
  answers('is never ready', '/readyz', ['FAC-091/readyz'], (json) => json, 503),
  {
    name: 'has no /settle',
    kills: ['FAC-001/endpoints'],
    fault:
      () =>
      async ({ path }, forward) =>
        path === settled ? { status: 404, json: {} } : asSaid(await forward()),
  },
  {
    name: 'HTML for every verdict',
    kills: ['FAC-020/verdict/evm', 'EVM-EXACT-048/balance/evm', 'CORE-013/any-member/evm'],
    fault:
      () =>
      async ({ path }, forward) =>
        path === '/verify' ? { text: '<html>welcome</html>' } : asSaid(await forward()),
  },
  ...codeMutants,
  ...listingMutants,
]

/** Accepts everything, settles nothing. */
export const alwaysYes: Mutant = {
  name: 'always yes',
  kills: [],
  fault:
    () =>
    async ({ path, json }, forward) => {
      if (path === '/supported') return asSaid(await forward())
      if (path === settled) return { json: pays(json) }
      if (path === '/verify') return { json: { isValid: true, payer: payerIn(json) } }
      return { json: { status: 'settled' } }
    },
}

/** Refuses everything. */
export const alwaysNo: Mutant = {
  name: 'always no',
  kills: [],
  fault:
    () =>
    async ({ path }) => {
      if (path === settled) return { status: 500, json: { success: false } }
      if (path === '/verify') return { status: 500, json: { isValid: false } }
      return { status: 500, text: '' }
    },
}
