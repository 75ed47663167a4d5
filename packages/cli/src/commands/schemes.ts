import { networkFamily, type SchemeFacilitator, sameAddress } from '@groat/core'
import { authCaptureEvm, type RefundRequest } from '@groat/evm/auth-capture/facilitator'
import { batchEvm } from '@groat/evm/batch-settlement/facilitator'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { createSponsor } from '@groat/evm/sponsoring/facilitator'
import { type Exposures, uptoEvm } from '@groat/evm/upto/facilitator'
import { sqlExposures } from '@groat/evm/upto/facilitator/sql'
import { type FacilitatorCodes, withBuilderCodes } from '@groat/extensions/builder-code/facilitator'
import type { AnyStore } from '@groat/store'
import { createSvmChain } from '@groat/svm/chain'
import { exactSvm } from '@groat/svm/exact/facilitator'
import type { NetworkConfig } from '../config/facilitator-config.js'
import type { AuthCaptureConfig } from '../config/settling-config.js'

/**
 * On Solana one half for each cluster, since what a payment may cost is counted in its own coin; on EVM one for each scheme and network, since each
 * network has rules of its own.
 */
export async function schemesOf(
  networks: readonly NetworkConfig[],
  store: AnyStore,
  codes?: FacilitatorCodes,
): Promise<readonly SchemeFacilitator[]> {
  const of = (family: string) => networks.filter(({ network }) => networkFamily(network) === family)
  const [evm, svm] = [of('eip155'), of('solana')]
  // Shared by all networks, and by all replicas on this database.
  const metered = evm.some(({ schemes }) => schemes.includes('upto'))
  const exposures = metered ? await sqlExposures(store) : undefined
  const onEvm = await Promise.all(evm.map((config) => evmSchemesOf(config, exposures, codes)))
  const clusters = svm.map(({ network, rpc, signers, assets, fees }) =>
    exactSvm({
      chains: [createSvmChain({ network, rpc: urlsOf(rpc), signers, assets })],
      ...(fees === undefined ? {} : { fees }),
    }),
  )
  return [...onEvm.flat(), ...clusters]
}

async function evmSchemesOf(
  config: NetworkConfig,
  exposures: Exposures | undefined,
  codes: FacilitatorCodes | undefined,
): Promise<readonly SchemeFacilitator[]> {
  const { network, rpc, signers, assets, agreeFrom, maxTransactionFee, schemes, selfBatch, sendAndWait } = config
  const { walletFactories, sponsor, delegations, authCapture = {} } = config
  const chain = await createEvmChain({
    network,
    rpc: urlsOf(rpc),
    signers: signers.filter(isHexKey),
    assets,
    ...(agreeFrom === undefined ? {} : { agreeFrom }),
    ...(maxTransactionFee === undefined ? {} : { maxTransactionFee }),
    ...(selfBatch === undefined ? {} : { selfBatch }),
    ...(sendAndWait === undefined ? {} : { sendAndWait }),
  })
  const chains = [chain]
  // One for all schemes: its transactions go one after the other.
  const paidFor = sponsor && { sponsor: createSponsor(sponsor) }
  const more = {
    ...(walletFactories && { walletFactories }),
    ...paidFor,
    ...(delegations && { delegations }),
  }
  const coded = codes === undefined ? <Half>(half: Half) => half : withBuilderCodes(codes)
  const halves = {
    exact: () => coded(exactEvm({ chains, ...more })),
    upto: () => coded(uptoEvm({ chains, ...(exposures && { exposures }), ...paidFor })),
    'batch-settlement': () => coded(batchEvm({ chains, ...paidFor })),
    'auth-capture': () => authCaptureEvm({ chains, ...heldBy(authCapture) }),
  }
  return schemes.map((scheme) => halves[scheme]())
}

/** A refund is the operator's own money, so it is for receivers that it has an agreement with. */
function heldBy({ fee, refundsFor = [] }: AuthCaptureConfig) {
  const mayRefund = ({ paymentInfo }: RefundRequest) =>
    refundsFor.some((each) => sameAddress(each, paymentInfo.receiver))
  return { mayRefund, ...(fee && { fee }) }
}

/** The configuration has been read: there is a first one. */
function urlsOf([first = '', ...others]: readonly string[]): readonly [string, ...string[]] {
  return [first, ...others]
}

function isHexKey(key: string): key is `0x${string}` {
  return key.startsWith('0x')
}
