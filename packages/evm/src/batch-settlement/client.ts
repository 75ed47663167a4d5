import {
  type Asset,
  evmAssets,
  findAsset,
  isJsonObject,
  type JsonObject,
  type PaymentRequirements,
  type PreparedPayment,
  parseAtomic,
  paymentId,
  refuse,
  type SchemeClient,
  X402Error,
} from '@groat/core'
import type { EvmAccount } from '../account.js'
import { parseAddress } from '../address.js'
import { chainIdOf } from '../chain-id.js'
import type { CryptoEngine } from '../crypto/engine.js'
import { nobleEngine } from '../crypto/noble.js'
import type { TokenDomain } from '../exact/eip3009.js'
import { formatHex, type Hex } from '../hex.js'
import { signWith } from '../sign.js'
import { type AllowanceNodes, withAllowance } from '../sponsoring/paying.js'
import { channelIdOf, voucherDigest, voucherTypedData, wireOfConfig } from './channel.js'
import { createMemoryChannels, type PayerChannel, type PayerChannels } from './client-channels.js'
import { configFor, offeredAgain, toldBy } from './client-state.js'
import { depositNonce, depositPermit, depositTransfer, receiveDigest, receiveTypedData } from './deposit.js'
import { BATCH_SETTLEMENT, batchOnEvm, PERMIT2_COLLECTOR } from './identity.js'
import { voucherId } from './shared.js'

export { type EvmAccount, type KeyAccount, privateKeyAccount, type TypedData, type WalletAccount } from '../account.js'
export { createMemoryChannels, type PayerChannel, type PayerChannels } from './client-channels.js'

/** What the payer's half needs. */
export type BatchEvmClientOptions = {
  /** Whose money it is; its key signs the vouchers. */
  readonly account: EvmAccount
  /** Where channels are remembered; in memory unless told. */
  readonly channels?: PayerChannels
  /** How many payments a deposit is for, at the price of the first; 5 unless told. A policy's limit holds the deposit too. */
  readonly depositFor?: number
  /** Tells channels with the same seller apart, such as one for each of several agents: 32 bytes. */
  readonly salt?: Hex
  readonly assets?: readonly Asset[]
  /**
   * Nodes to ask what Permit2 is allowed to take, by network. Before a deposit by Permit2, what it lacks is then signed along where the seller announces gas
   * sponsoring, and `permit2_allowance_required` refused where nothing would do. Without a node Permit2 is taken to be approved.
   */
  readonly rpc?: AllowanceNodes
  readonly engine?: CryptoEngine
}

/**
 * Pays out of channels: a deposit once, and then vouchers whose ceiling rises by the price, one after the other.
 *
 * `prepare` refuses `payment_unresolved` (a deposit that was signed may still be made), `asset_not_known`, `unsupported_transfer_method`,
 * `domain_mismatch`, `invalid_network`, `invalid_payment_requirements`; `sign`
 * throws `signer_failed`, and `payment_in_flight` (nothing was signed: another payment deposits into the channel). One channel carries one
 * payment at a time. Throws a `TypeError` when the account has no address.
 *
 * @example
 * const scheme = batchEvm({ account: privateKeyAccount(process.env.KEY), depositFor: 100 })
 */
export function batchEvm(options: BatchEvmClientOptions): SchemeClient {
  const { rpc, ...rest } = options
  const half = channelPayer(rest)
  if (rpc === undefined) return half
  const { account, assets = [] } = options
  const known = [...assets, ...evmAssets]
  const isPermit2 = ({ network, asset, extra }: PaymentRequirements) =>
    (extra.assetTransferMethod ?? findAsset(known, network, asset)?.transfer) === 'permit2'
  // Where a deposit is made, it is what the payment is for.
  const through = (offer: PaymentRequirements, { preview, amount }: PreparedPayment) =>
    isPermit2(offer) && preview.deposit !== undefined ? amount : 0n
  return withAllowance(half, { account, assets, rpc, through })
}

function channelPayer(options: Omit<BatchEvmClientOptions, 'rpc'>): SchemeClient {
  const { account, channels = createMemoryChannels(), depositFor = 5, assets = [], engine = nobleEngine } = options
  const payer = parseAddress(account.address)
  if (payer === undefined) throw new TypeError('the account has no address')
  const salt: Hex = options.salt ?? `0x${'0'.repeat(64)}`
  const known = [...assets, ...evmAssets]
  const assetOf = ({ network, asset }: PaymentRequirements) => findAsset(known, network, asset)
  const pending = new Map<string, Hex>()

  const configOf = (offer: PaymentRequirements) => configFor(payer, salt, offer)

  return {
    scheme: batchOnEvm,
    prefunded: true,
    payer: (network) => (chainIdOf(network) === undefined ? undefined : account.address),
    asset: assetOf,
    async prepare(offer, context) {
      const asset = assetOf(offer)
      if (asset === undefined) return refuse('asset_not_known')
      const chainId = chainIdOf(offer.network)
      if (chainId === undefined) return refuse('invalid_network')
      const config = configOf(offer)
      if ('ok' in config) return config
      const method = offer.extra.assetTransferMethod ?? asset.transfer
      if (method !== 'eip3009' && method !== 'permit2') return refuse('unsupported_transfer_method')
      const { name, version } = offer.extra
      if (method === 'eip3009' && (asset.domain?.name !== name || asset.domain?.version !== version)) {
        return refuse('domain_mismatch')
      }
      const channelId = channelIdOf(engine, chainId, config)
      const known = await channels.get(channelId)
      const channel = toldBy(engine, offer, config, channelId, chainId) ?? known ?? NEW
      const about = { network: offer.network, config }
      const voucher = { channelId, maxClaimable: channel.charged + offer.amount }
      const deposit =
        voucher.maxClaimable > channel.balance ? depositOf(offer, voucher.maxClaimable - channel.balance) : 0n
      // Whatever the seller says of the channel: one that was signed may still be made (EVM-BATCH-017).
      const open =
        known?.open && known.open.until + CLOCK_MARGIN_SECONDS > context.clock() / 1000 ? known.open : undefined
      if (deposit > 0n && open) return refuse('payment_unresolved', 'a deposit into this channel may still be made')
      const expiresAt =
        Math.floor(context.clock() / 1000) + Math.floor(Math.min(offer.maxTimeoutSeconds, context.maxLifetimeSeconds))
      const nonce = formatHex(context.random(32))
      const pid =
        deposit === 0n
          ? voucherId(offer.network, voucher, nonce)
          : paymentId([
              ...[offer.network, BATCH_SETTLEMENT, config.payer, method],
              ...[method === 'eip3009' ? `${channelId}${nonce}` : BigInt(nonce).toString(), batchOnEvm.name],
            ])
      const shown: JsonObject = {
        network: offer.network,
        asset: asset.symbol,
        channelId,
        maxClaimableAmount: voucher.maxClaimable.toString(),
        ...(deposit === 0n ? {} : { deposit: deposit.toString() }),
      }

      const authorize = async (): Promise<JsonObject> => {
        const end = BigInt(expiresAt)
        const { token } = config
        if (method === 'permit2') {
          const transfer = depositTransfer(token, { amount: deposit, nonce: BigInt(nonce), deadline: end })
          const signature = await signWith(account, {
            digest: () => depositPermit.digest(engine, chainId, transfer, { channelId }),
            typedData: () => depositPermit.typedData(chainId, transfer, { channelId }),
          })
          return {
            permit2Authorization: {
              from: account.address,
              permitted: { token, amount: deposit.toString() },
              spender: PERMIT2_COLLECTOR,
              nonce: transfer.nonce.toString(),
              deadline: end.toString(),
              witness: { channelId },
              signature,
            },
          }
        }
        const domain: TokenDomain = {
          name: String(name),
          version: String(version),
          chainId,
          verifyingContract: token,
        }
        const receive = { method: 'eip3009', amount: deposit, validAfter: 0n, validBefore: end, salt: nonce } as const
        const tokenNonce = depositNonce(engine, channelId, nonce)
        const from = config.payer
        const signature = await signWith(account, {
          digest: () => receiveDigest(engine, domain, from, tokenNonce, receive),
          typedData: () => receiveTypedData(domain, from, tokenNonce, receive),
        })
        return { erc3009Authorization: { validAfter: '0', validBefore: end.toString(), salt: nonce, signature } }
      }

      const sign = async (): Promise<JsonObject> => {
        const signature = await signWith(account, {
          digest: () => voucherDigest(engine, chainId, voucher),
          typedData: () => voucherTypedData(chainId, voucher),
        })
        const wire = {
          channelConfig: wireOfConfig(config),
          voucher: { channelId, maxClaimableAmount: voucher.maxClaimable.toString(), signature },
        }
        const { charged, balance } = channel
        await channels.change(channelId, (now) => {
          // Another payment may have signed for a deposit since this one was prepared (EVM-BATCH-017).
          if (deposit > 0n && (now?.balance !== known?.balance || now?.open?.pid !== known?.open?.pid)) {
            throw new X402Error('payment_in_flight', { channelId, reason: 'another payment deposits into the channel' })
          }
          const opened = deposit === 0n ? now?.open : { pid, until: expiresAt }
          return {
            ...{ charged, balance, about, pending: { pid, amount: offer.amount, deposit } },
            ...(opened && { open: opened }),
          }
        })
        pending.set(pid, channelId)
        if (deposit === 0n) return { type: 'voucher', id: nonce, ...wire }
        const authorization = await authorize()
        return { type: 'deposit', ...wire, deposit: { amount: deposit.toString(), authorization } }
      }

      const amount = deposit === 0n ? offer.amount : deposit
      return { ok: true, pid, payer: config.payer, amount, allowance: deposit, expiresAt, preview: shown, sign }
    },
    async settled(pid, receipt) {
      const channelId = pending.get(pid)
      if (channelId === undefined) return
      pending.delete(pid)
      const said = isJsonObject(receipt.extra) ? receipt.extra.chargedAmount : undefined
      await channels.change(channelId, (channel = NEW) => {
        if (channel.pending?.pid !== pid) return channel
        const { amount, deposit } = channel.pending
        const charged = typeof said === 'string' ? parseAtomic(said) : (receipt.amount ?? amount)
        // A seller that says more than was signed for is not believed.
        const counted = charged === undefined || charged > amount ? amount : charged
        const { about, charged: before, balance, open } = channel
        return {
          ...{ charged: before + counted, balance: balance + deposit },
          ...(about && { about }),
          ...(open && open.pid !== pid && { open }),
        }
      })
    },
    async corrected({ pid, ...terms }, header) {
      const offer = offeredAgain(terms, header)
      if (offer === undefined) return undefined
      const chainId = chainIdOf(offer.network)
      const config = configOf(offer)
      if (chainId === undefined || 'ok' in config) return undefined
      const channelId = channelIdOf(engine, chainId, config)
      const told = toldBy(engine, offer, config, channelId, chainId)
      if (told === undefined) return undefined
      const before = await channels.get(channelId)
      const ours = before?.pending?.pid === pid ? before.pending : undefined
      const learnt = { charged: told.charged, balance: told.balance, about: { network: offer.network, config } }
      // A deposit that was signed may still be made: never a second one beside it (EVM-BATCH-017). What was told counts when it has ended.
      if ((ours?.deposit ?? 0n) > 0n && told.charged + offer.amount > told.balance) {
        await channels.change(channelId, (now) => ({ ...now, ...learnt }))
        return undefined
      }
      await channels.change(channelId, (now) => ({ ...learnt, ...(now?.open && { open: now.open }) }))
      pending.delete(pid)
      // A voucher for no more than an older one lets nobody take anything; a deposit may still be made.
      const isVoid = ours?.deposit === 0n && (before?.charged ?? 0n) + ours.amount <= told.signed
      return isVoid ? 'void' : 'dead'
    },
  }

  function depositOf({ amount, extra }: PaymentRequirements, least: bigint): bigint {
    const asked = typeof extra.minDeposit === 'string' ? (parseAtomic(extra.minDeposit) ?? 0n) : 0n
    const wanted = amount * BigInt(Math.max(1, Math.floor(depositFor)))
    return [least, wanted, asked < wanted * 10n ? asked : 0n].reduce((most, each) => (each > most ? each : most))
  }
}

/** Seconds by which a block's clock may be behind ours. */
const CLOCK_MARGIN_SECONDS = 30
const NEW: PayerChannel = { charged: 0n, balance: 0n }
