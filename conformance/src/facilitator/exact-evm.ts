import { deployErc1271Wallet, deployPlainToken } from '@groat/sandbox'
import type { Hex } from 'viem'
import type { EvmPayload, EvmTweak } from '../chain/evm.js'
import { expectSame, expectThat } from '../model/finding.js'
import { mirrored } from '../wire/eip3009.js'
import { expectRefused, expectSettled, expectValid } from './answers.js'
import { type FacilitatorCheck, facilitatorChecksWith, refusal } from './check.js'
import { expectMoved, type FacilitatorStage, type Scene } from './stage.js'

const check = facilitatorChecksWith({ families: ['evm'] })

/** A payment that ought to be refused because of what was signed. */
const refusedWhenSigned = (
  id: string,
  of: string,
  codes: readonly string[],
  tweak: (scene: Scene, stage: FacilitatorStage) => EvmTweak | Promise<EvmTweak>,
): FacilitatorCheck =>
  refusal(check, id, of, codes, async (stage) => {
    const scene = await stage.scene()
    const payload = await stage.evm.sign(scene.payer, scene.terms, await tweak(scene, stage))
    return { payment: stage.withPayload(scene, payload), requirements: scene.requirements }
  })

/** A payment that ought to be refused because of what was changed after signing. */
const refusedWhenChanged = (
  id: string,
  of: string,
  codes: readonly string[],
  change: (payload: EvmPayload, scene: Scene) => unknown,
): FacilitatorCheck =>
  refusal(check, id, of, codes, async (stage) => {
    const scene = await stage.scene()
    const payload = change(scene.payload as EvmPayload, scene)
    return { payment: stage.withPayload(scene, payload), requirements: scene.requirements }
  })

const refusedOnTerms = (
  id: string,
  of: string,
  codes: readonly string[],
  change: (scene: Scene) => { readonly accepted?: unknown; readonly requirements?: unknown },
): FacilitatorCheck =>
  refusal(check, id, of, codes, async (stage) => {
    const scene = await stage.scene()
    const { requirements = scene.requirements, accepted = scene.requirements } = change(scene)
    return { payment: { ...scene.payment, accepted }, requirements }
  })

const signature = ['invalid_exact_evm_signature']
const unparsed = ['invalid_exact_evm_failed_to_parse_signature', 'invalid_payload', ...signature]
const amount = ['invalid_exact_evm_payload_authorization_value_mismatch', 'invalid_exact_evm_authorization_value']
const before = ['invalid_exact_evm_payload_authorization_valid_before']
const after = ['invalid_exact_evm_payload_authorization_valid_after']
const otherKey = `0x${'5a'.repeat(32)}`
const stranger = '0x000000000000000000000000000000000000dEaD'

/** `exact` on EVM chains by EIP-3009. */
export const exactEvmChecks: readonly FacilitatorCheck[] = [
  refusedOnTerms(
    'EVM-EXACT-030/scheme',
    'an echoed offer of another scheme',
    ['invalid_exact_evm_scheme', 'no_matching_requirements'],
    ({ requirements }) => ({
      accepted: { ...requirements, scheme: 'upto' },
    }),
  ),
  refusedOnTerms(
    'EVM-EXACT-031/network',
    'an echoed offer of another network',
    ['invalid_exact_evm_network_mismatch', 'no_matching_requirements'],
    ({ requirements }) => ({
      accepted: { ...requirements, network: 'eip155:8453' },
    }),
  ),
  ...(['name', 'version'] as const).map((member) =>
    refusedOnTerms(
      `EVM-EXACT-032/without-${member}`,
      `an offer without extra.${member}`,
      ['invalid_exact_evm_missing_eip712_domain'],
      ({ requirements }) => {
        const { [member]: _, ...extra } = requirements.extra as Record<string, unknown>
        const changed = { ...requirements, extra }
        return { requirements: changed, accepted: changed }
      },
    ),
  ),
  ...(['from', 'to', 'value', 'validAfter', 'validBefore', 'nonce'] as const).map((member) =>
    refusedWhenChanged(
      `EVM-EXACT-033/without-${member}`,
      `an authorization without ${member}`,
      ['invalid_payload'],
      ({ signature, authorization }) => {
        const { [member]: _, ...rest } = authorization
        return { signature, authorization: rest }
      },
    ),
  ),
  refusedWhenChanged('EVM-EXACT-033/list', 'an authorization that is a list', ['invalid_payload'], ({ signature }) => ({
    signature,
    authorization: [],
  })),
  refusedWhenChanged(
    'EVM-EXACT-033/short-nonce',
    'a nonce of 31 bytes',
    ['invalid_payload'],
    ({ signature, authorization }) => ({
      signature,
      authorization: { ...authorization, nonce: authorization.nonce.slice(0, -2) },
    }),
  ),
  refusedWhenChanged(
    'EVM-EXACT-033/value-hexadecimal',
    'a value in hexadecimal',
    ['invalid_payload'],
    ({ signature, authorization }) => ({
      signature,
      authorization: { ...authorization, value: '0x2710' },
    }),
  ),
  refusedWhenChanged(
    'EVM-EXACT-034/odd',
    'a signature with an odd number of digits',
    unparsed,
    ({ signature, authorization }) => ({
      signature: signature.slice(0, -1),
      authorization,
    }),
  ),
  refusedWhenChanged('EVM-EXACT-034/text', 'a signature that is no hexadecimal', unparsed, ({ authorization }) => ({
    signature: `0x${'zz'.repeat(65)}`,
    authorization,
  })),
  refusedWhenSigned('EVM-EXACT-035/other-key', 'a signature of another key', signature, () => ({ signWith: otherKey })),
  ...(['name', 'version', 'chainId', 'verifyingContract'] as const).map((member) =>
    refusedWhenSigned(
      `EVM-EXACT-035/domain-${member}`,
      `a signature for another ${member} of the domain`,
      signature,
      () => ({
        domain:
          { name: 'USD Coin', version: '1', chainId: 1, verifyingContract: stranger }[member] === undefined
            ? {}
            : { [member]: { name: 'USD Coin', version: '1', chainId: 1, verifyingContract: stranger }[member] },
      }),
    ),
  ),
  refusedWhenChanged(
    'EVM-EXACT-035/changed-nonce',
    'a nonce that was changed after signing',
    signature,
    ({ signature, authorization }) => ({
      signature,
      authorization: { ...authorization, nonce: `0x${'11'.repeat(32)}` },
    }),
  ),
  refusedWhenChanged(
    'EVM-EXACT-035/changed-payer',
    'a payer that was changed after signing',
    [...signature, 'invalid_exact_evm_insufficient_balance'],
    ({ signature, authorization }) => ({
      signature,
      authorization: { ...authorization, from: stranger },
    }),
  ),
  refusedWhenChanged('EVM-EXACT-036/empty', 'an empty signature', unparsed, ({ authorization }) => ({
    signature: '0x',
    authorization,
  })),
  refusedWhenChanged('EVM-EXACT-036/longer', 'a signature of 66 bytes', unparsed, ({ signature, authorization }) => ({
    signature: `${signature}00`,
    authorization,
  })),
  refusedWhenChanged(
    'EVM-EXACT-037/upper-s',
    'a signature with s in the upper half',
    signature,
    ({ signature, authorization }) => ({
      signature: mirrored(signature),
      authorization,
    }),
  ),
  refusedWhenChanged(
    'EVM-EXACT-038/v',
    'a signature with a v of 0 or 1',
    signature,
    ({ signature, authorization }) => ({
      signature: `${signature.slice(0, -2)}${signature.endsWith('1b') ? '00' : '01'}`,
      authorization,
    }),
  ),
  refusedWhenSigned(
    'EVM-EXACT-041/recipient',
    'a payment to somebody else',
    ['invalid_exact_evm_recipient_mismatch'],
    () => ({ authorization: { to: stranger } }),
  ),
  refusedWhenSigned('EVM-EXACT-042/less', 'a payment of one unit too little', amount, () => ({
    authorization: { value: '9999' },
  })),
  refusedWhenSigned('EVM-EXACT-042/more', 'a payment of one unit too much', amount, () => ({
    authorization: { value: '10001' },
  })),
  refusedWhenSigned('EVM-EXACT-042/nothing', 'a payment of nothing', amount, () => ({ authorization: { value: '0' } })),
  refusedWhenSigned('EVM-EXACT-043/expired', 'a payment that has expired', before, async (_, stage) => ({
    authorization: { validBefore: String((await stage.evm.now()) - 1) },
  })),
  refusedWhenSigned(
    'EVM-EXACT-043/nearly-expired',
    'a payment that is valid for two seconds more',
    before,
    async (_, stage) => ({
      authorization: { validBefore: String((await stage.evm.now()) + 2) },
    }),
  ),
  refusedWhenSigned('EVM-EXACT-044/future', 'a payment that is not valid yet', after, async (_, stage) => ({
    authorization: { validAfter: String((await stage.evm.now()) + 60) },
  })),
  refusedWhenSigned(
    'EVM-EXACT-045/long',
    'a payment that is valid for a year',
    ['invalid_exact_evm_authorization_lifetime'],
    async (_, stage) => ({
      authorization: { validBefore: String((await stage.evm.now()) + 31_536_000) },
    }),
  ),
  check('EVM-EXACT-046/no-code', 'an asset without code is refused', async (stage) => {
    const scene = await stage.scene({ terms: { asset: stranger } })
    const payload = await stage.evm.sign(scene.payer, scene.terms, { domain: { verifyingContract: stranger } })
    const verdict = await stage.verify(stage.withPayload(scene, payload), scene.requirements)
    expectRefused(verdict, ['asset_not_deployed_contract', 'asset_not_allowed'], 'an asset without code')
  }),
  check('EVM-EXACT-047/used', 'an authorization that was used is refused', async (stage) => {
    const scene = await stage.scene()
    await stage.evm.submit(scene.payload as EvmPayload)
    expectRefused(
      await stage.verify(scene.payment, scene.requirements),
      ['invalid_exact_evm_nonce_already_used'],
      'a nonce that the token knows as used',
    )
  }),
  check('EVM-EXACT-048/balance', 'a payer who holds one unit too little is refused', async (stage) => {
    const scene = await stage.scene({ holds: 9_999n })
    expectRefused(
      await stage.verify(scene.payment, scene.requirements),
      ['invalid_exact_evm_insufficient_balance'],
      'a payer who holds one unit too little',
    )
  }),
  check('EVM-EXACT-049/blacklisted', 'a transfer that the token refuses is refused', async (stage) => {
    const scene = await stage.scene()
    const { chain, inTurn } = stage.evm
    await inTurn(async () => {
      const hash = await chain.client.writeContract({
        account: chain.account('issuer').address,
        address: chain.usdc,
        abi: blacklistAbi,
        functionName: 'blacklist',
        args: [scene.payer.address as Hex],
      })
      await chain.client.waitForTransactionReceipt({ hash })
    })
    const verdict = await stage.verify(scene.payment, scene.requirements)
    expectRefused(verdict, ['invalid_exact_evm_transaction_simulation_failed'], 'a payer whom the token blocks')
  }),
  refusedOnTerms(
    'EVM-EXACT-051/method',
    'a payment by EIP-3009 where Permit2 is asked for',
    ['unsupported_transfer_method'],
    ({ requirements }) => {
      const changed = { ...requirements, extra: { ...(requirements.extra as object), assetTransferMethod: 'permit2' } }
      return { requirements: changed, accepted: changed }
    },
  ),
  check('EVM-EXACT-054/other-token', 'a token that nobody allowed is refused', async (stage) => {
    const token = await stage.evm.inTurn(() => deployPlainToken(stage.evm.chain))
    const scene = await stage.scene({ terms: { asset: token.address } })
    await stage.evm.inTurn(() => token.mint(scene.payer.address as Hex, 1_000_000n))
    const payload = await stage.evm.sign(scene.payer, scene.terms, { domain: { verifyingContract: token.address } })
    const verdict = await stage.verify(stage.withPayload(scene, payload), scene.requirements)
    expectRefused(verdict, ['asset_not_allowed'], 'a token of a stranger')
  }),
  check('EVM-EXACT-039/contract-wallet', 'a contract wallet pays by its isValidSignature', async (stage) => {
    const scene = await stage.scene()
    const wallet = await stage.evm.inTurn(() => deployErc1271Wallet(stage.evm.chain, scene.payer.address as Hex))
    await stage.evm.chain.fund(wallet, 20_000n)
    const payload = await stage.evm.sign({ address: wallet, key: scene.payer.key }, scene.terms)
    expectValid(
      await stage.verify(stage.withPayload(scene, payload), scene.requirements),
      'a payment of a contract wallet',
    )
    const stolen = await stage.evm.sign({ address: wallet, key: otherKey }, scene.terms)
    expectRefused(
      await stage.verify(stage.withPayload(scene, stolen), scene.requirements),
      [],
      'a payment that a contract wallet did not sign',
    )
  }),
  check('EVM-EXACT-061/values', 'what is settled is what was signed', async (stage) => {
    const scene = await stage.scene({ amount: 12_345n })
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt)
    await expectMoved(stage, scene, 1, receipt)
    const { chain } = stage.evm
    const { authorization } = scene.payload as EvmPayload
    const used = await chain.client.readContract({
      address: chain.usdc,
      abi: stateAbi,
      functionName: 'authorizationState',
      args: [authorization.from as Hex, authorization.nonce as Hex],
    })
    expectSame('whether the token knows the nonce as used', true, used)
  }),
  check('EVM-EXACT-067/front-run', 'an authorization that a stranger handed in is settled, once', async (stage) => {
    const scene = await stage.scene()
    expectValid(await stage.verify(scene.payment, scene.requirements))
    await stage.evm.submit(scene.payload as EvmPayload)
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a payment whose money reached the seller by another transaction')
    await expectMoved(stage, scene, 1, receipt)
  }),
  check('FAC-050/other-signature', 'another signature over a settled payment earns no success', async (stage) => {
    const scene = await stage.scene()
    expectSettled(await stage.settle(scene.payment, scene.requirements))
    const { authorization } = scene.payload as EvmPayload
    const forged = stage.withPayload(scene, { signature: `0x${'11'.repeat(64)}1b`, authorization })
    const second = await stage.settle(forged, scene.requirements)
    expectThat(!second.success, 'whoever copies a nonce is told that he paid', 'success: false', second.answer.text)
  }),
  check('EVM-EXACT-081/amount-v1', 'a payment of version 1 settles for maxAmountRequired', async (stage) => {
    const scene = await stage.scene({ version: 1 })
    expectValid(await stage.verify(scene.payment, scene.requirements), 'a payment of version 1 that is right')
    const receipt = await stage.settle(scene.payment, scene.requirements)
    expectSettled(receipt, 'a payment of version 1 that is right')
    await expectMoved(stage, scene, 1, receipt)
  }),
  check('EVM-EXACT-082/other-amount-v1', 'a wrong amount of version 1 is refused', async (stage) => {
    const scene = await stage.scene({ version: 1 })
    const payload = await stage.evm.sign(scene.payer, scene.terms, { authorization: { value: '9999' } })
    const verdict = await stage.verify(stage.withPayload(scene, payload), scene.requirements)
    expectRefused(verdict, ['invalid_exact_evm_authorization_value'], 'one unit too little in version 1')
  }),
  check('EVM-EXACT-083/network-v1', 'a payment of version 1 on another network is refused', async (stage) => {
    const scene = await stage.scene({ version: 1 })
    const verdict = await stage.verify({ ...scene.payment, network: 'base' }, scene.requirements)
    expectRefused(
      verdict,
      ['invalid_exact_evm_network_mismatch', 'no_matching_requirements'],
      'a payment that names another network',
    )
  }),
]

const blacklistAbi = [
  {
    type: 'function',
    name: 'blacklist',
    stateMutability: 'nonpayable',
    inputs: [{ name: 'account', type: 'address' }],
    outputs: [],
  },
] as const

const stateAbi = [
  {
    type: 'function',
    name: 'authorizationState',
    stateMutability: 'view',
    inputs: [
      { name: 'authorizer', type: 'address' },
      { name: 'nonce', type: 'bytes32' },
    ],
    outputs: [{ type: 'bool' }],
  },
] as const
