// The paying fetch of faremeter.

import { wrap } from '@faremeter/fetch'
import { createPaymentHandler as evmHandler } from '@faremeter/payment-evm/exact'
import { createPaymentHandler as svmHandler } from '@faremeter/payment-solana/exact'
import { createLocalWallet as evmWallet } from '@faremeter/wallet-evm'
import { createLocalWallet as svmWallet } from '@faremeter/wallet-solana'
import { answer, answered, initOf } from './lib/answers.mjs'
import { secretOf } from './lib/solana.mjs'
import { devnet, usdcOf } from './lib/usdc.mjs'

async function handlerOf({ wallet, rpc }) {
  if (wallet.eip155 !== undefined)
    return evmHandler(await evmWallet({ id: 84532, name: 'Base Sepolia' }, wallet.eip155))
  return svmHandler(await svmWallet(devnet, secretOf(wallet.solana)), usdcOf(devnet), rpc.solana)
}

answer('@faremeter/fetch', async (asked) => {
  const pay = wrap(fetch, { handlers: [await handlerOf(asked)], returnPaymentFailure: true })
  return answered(await pay(asked.request.url, initOf(asked.request)))
})
