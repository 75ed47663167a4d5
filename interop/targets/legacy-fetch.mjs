// The paying fetch of the first generation.

import { createSigner, wrapFetchWithPayment } from 'x402-fetch'
import { answer, answered, initOf } from './lib/answers.mjs'

answer('x402-fetch', async ({ request, wallet, policy, rpc }) => {
  const [network, key] = wallet.eip155 ? ['base-sepolia', wallet.eip155] : ['solana-devnet', wallet.solana]
  const config = rpc.solana === undefined ? undefined : { svmConfig: { rpcUrl: rpc.solana } }
  const signer = await createSigner(network, key)
  const pay = wrapFetchWithPayment(fetch, signer, BigInt(policy.maxAtomic), undefined, config)
  return answered(await pay(request.url, initOf(request)))
})
