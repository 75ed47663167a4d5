import { randomBytes } from 'node:crypto'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { type EvmRail, usdcName } from '../chain/evm.js'
import type { Payer } from '../chain/rail.js'
import {
  batchSettlement,
  type ChannelConfig,
  type ClaimRow,
  channelIdOf,
  signReceive,
  signVoucher,
  type Voucher,
} from '../wire/channels.js'
import type { Terms } from '../wire/messages.js'
import { depositCollector, type Permit, signPermit } from '../wire/permit2.js'
import type { FacilitatorStage, Scene, SceneOptions } from './stage.js'
import { approve, permit2Domain, randomNonce, type Way } from './ways.js'

/** A channel of a payer for a seller of the kit, and a payment that fills it. */
export type ChannelScene = Scene & {
  readonly config: ChannelConfig
  readonly channelId: Hex
  /** The key of the receiver's authorizer. */
  readonly authorizer: Hex
  /** Atomic units that the deposit brings. */
  readonly deposit: bigint
  /** A voucher of this channel for so much in all. */
  voucher(amount: bigint, key?: string): Promise<Voucher>
}

/** What a check may change about a deposit before it is signed. */
export type DepositTweak = {
  readonly config?: Partial<ChannelConfig>
  /** Of the deposit; five times the price unless told. */
  readonly deposit?: bigint
  readonly by?: 'eip3009' | 'permit2'
  readonly validBefore?: number
  readonly permit?: Partial<Permit>
  readonly permitted?: Partial<Permit['permitted']>
  /** Another key than the payer's for the deposit. */
  readonly signWith?: string
  /** Another key than the payer's for the voucher. */
  readonly voucherKey?: string
  /** Another sum than the price. */
  readonly claimable?: bigint
}

const withdrawDelay = 900

/** Sets a scene with a channel: its payment brings a deposit and a voucher for the price. */
export async function channelScene(
  stage: FacilitatorStage,
  tweak: DepositTweak = {},
  options: Omit<SceneOptions, 'way'> = {},
): Promise<ChannelScene> {
  const authorizer: Hex = `0x${randomBytes(32).toString('hex')}`
  let config: ChannelConfig | undefined
  const way: Way = {
    scheme: 'batch-settlement',
    terms: (usual) => ({
      ...usual,
      scheme: 'batch-settlement',
      extra: {
        ...usual.extra,
        receiverAuthorizer: privateKeyToAccount(authorizer).address,
        withdrawDelay,
        ...(tweak.by === undefined ? {} : { assetTransferMethod: tweak.by }),
      },
    }),
    ...(tweak.by === 'permit2' ? { prepare: approve } : {}),
    async pay(rail, payer, terms) {
      config = configFor(payer, terms, tweak.config)
      return depositFor(rail, payer, terms, config, tweak)
    },
  }
  const scene = await stage.scene({ ...options, way })
  if (config === undefined) throw new TypeError('a scene has a payment')
  const { chainId } = stage.evm.chain
  const channelId = channelIdOf(chainId, config)
  const key = scene.payer.key
  return {
    ...scene,
    config,
    channelId,
    authorizer,
    deposit: depositOf(scene.terms, tweak),
    voucher: (amount, other = key) => signVoucher(other as Hex, chainId, channelId, amount.toString()),
  }
}

function configFor(payer: Payer, terms: Terms, change: Partial<ChannelConfig> = {}): ChannelConfig {
  return {
    payer: payer.address,
    payerAuthorizer: payer.address,
    receiver: terms.payTo,
    receiverAuthorizer: String(terms.extra.receiverAuthorizer),
    token: terms.asset,
    withdrawDelay,
    salt: `0x${randomBytes(32).toString('hex')}`,
    ...change,
  }
}

const depositOf = ({ amount }: Terms, { deposit = BigInt(amount) * 5n }: DepositTweak): bigint => deposit

/** The payload of a payment that fills its channel. */
async function depositFor(
  rail: EvmRail,
  payer: Payer,
  terms: Terms,
  config: ChannelConfig,
  tweak: DepositTweak,
): Promise<unknown> {
  const { by = 'eip3009', signWith = payer.key, voucherKey = payer.key, claimable = BigInt(terms.amount) } = tweak
  const { chainId } = rail.chain
  const channelId = channelIdOf(chainId, config)
  const amount = depositOf(terms, tweak).toString()
  const now = await rail.now()
  const end = String(tweak.validBefore ?? now + terms.maxTimeoutSeconds)
  const voucher = await signVoucher(voucherKey as Hex, chainId, channelId, claimable.toString())
  const payload = { type: 'deposit', channelConfig: config, voucher }
  if (by === 'permit2') {
    const permit: Permit = {
      from: payer.address,
      permitted: { token: terms.asset, amount, ...tweak.permitted },
      spender: depositCollector,
      nonce: randomNonce(),
      deadline: end,
      witness: { channelId },
      ...tweak.permit,
    }
    const signature = await signPermit(signWith as Hex, 'deposit', permit2Domain(rail), permit)
    return { ...payload, deposit: { amount, authorization: { permit2Authorization: { ...permit, signature } } } }
  }
  const salt = `0x${randomBytes(32).toString('hex')}`
  const receive = { from: payer.address, value: amount, validAfter: String(now - 60), validBefore: end }
  const token = { ...usdcName, chainId, address: terms.asset }
  const signature = await signReceive(signWith as Hex, token, { channelId, salt }, receive)
  const { validAfter, validBefore } = receive
  return {
    ...payload,
    deposit: { amount, authorization: { erc3009Authorization: { validAfter, validBefore, salt, signature } } },
  }
}

/** A channel as it stands on chain, in atomic units. */
export async function channelOnChain(
  { chain }: EvmRail,
  channelId: Hex,
): Promise<{ readonly balance: bigint; readonly claimed: bigint }> {
  const { abi } = chain.contracts.x402BatchSettlement
  const [balance, claimed] = await chain.client.readContract({
    address: batchSettlement,
    abi,
    functionName: 'channels',
    args: [channelId],
  })
  return { balance, claimed }
}

/** A row of a claim for all that a voucher allows, or less. */
export const claimRowOf = (config: ChannelConfig, voucher: Voucher, total = voucher.maxClaimableAmount): ClaimRow => ({
  voucher: { channel: config, maxClaimableAmount: voucher.maxClaimableAmount },
  signature: voucher.signature,
  totalClaimed: total,
})
