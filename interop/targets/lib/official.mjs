import { ExactEvmScheme } from '@x402/evm/exact/client'
import { ExactSvmScheme } from '@x402/svm/exact/client'
import { privateKeyToAccount } from 'viem/accounts'
import { signerOf } from './solana.mjs'

/** The configuration of the official client for the wallet of a request. */
export async function configOf({ wallet, rpc, policy }) {
  // The one asset of the kit has six decimals.
  const spendControls = { maxAmountPerPayment: `$${Number(policy.maxAtomic) / 1e6}` }
  if (wallet.eip155 !== undefined) {
    const client = new ExactEvmScheme(privateKeyToAccount(wallet.eip155))
    return { spendControls, schemes: [{ network: 'eip155:*', client }] }
  }
  const client = new ExactSvmScheme(await signerOf(wallet.solana), { rpcUrl: rpc.solana })
  return { spendControls, schemes: [{ network: 'solana:*', client }] }
}
