import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { privateKeyAccount, exactEvm as signer } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { deployHostileToken, startEvmChain } from '@groat/sandbox'
import { generatePrivateKey } from 'viem/accounts'

const SIZES = [1, 2, 5, 10, 25, 50, 100]

/** Gas that a payment costs its facilitator, alone and in groups. Every payer is new; the seller has been paid before. */
export async function run() {
  const chain = await startEvmChain()
  try {
    const plain = await deployHostileToken(chain)
    const usdc = {
      address: chain.usdc,
      name: 'USDC',
      version: '2',
      symbol: 'USDC',
      fund: (to) => chain.fund(to, 10n ** 6n),
    }
    const test = {
      address: plain.address,
      name: 'Hostile Dollar',
      version: '1',
      symbol: 'TEST',
      fund: (to) => plain.mint(to, 10n ** 6n),
    }
    for (const [title, token] of [
      ['a plain token', test],
      ['USDC', usdc],
    ]) {
      console.log(`\ngas a payment, ${title}`)
      const figures = await measure(chain, token)
      for (const [size, gas] of figures) {
        console.log(
          `  ${String(size).padStart(4)} together   ${Math.round(gas).toLocaleString('en').padStart(8)}   ${(gas / figures[0][1]).toFixed(2)}x`,
        )
      }
    }
  } finally {
    await chain.stop()
  }
}

async function measure(chain, { address, name, version, symbol, fund }) {
  const asset = {
    network: network(chain.network),
    symbol,
    address,
    decimals: 6,
    domain: { name, version },
    transfer: 'eip3009',
  }
  const evm = await createEvmChain({
    network: network(chain.network),
    rpc: chain.rpcUrl,
    signers: [chain.account('facilitator').privateKey],
    assets: [asset],
  })
  const scheme = exactEvm({ chains: [evm] })
  const [account] = evm.signers
  const seller = chain.account('seller').address
  const requirements = {
    scheme: 'exact',
    network: network(chain.network),
    amount: 1000n,
    asset: address,
    payTo: seller,
    maxTimeoutSeconds: 300,
    extra: { name, version },
  }
  const figures = []
  await fund(seller)
  for (const size of SIZES) {
    const calls = []
    for (let at = 0; at < size; at++) {
      const payer = privateKeyAccount(generatePrivateKey())
      await fund(payer.address)
      const options = { account: payer, assets: [asset] }
      const context = {
        clock: Date.now,
        random: (n) => crypto.getRandomValues(new Uint8Array(n)),
        maxLifetimeSeconds: 300,
      }
      const prepared = await signer(options).prepare(requirements, context)
      if (!prepared.ok) throw new Error(prepared.code)
      const payment = {
        x402Version: 2,
        scheme: 'exact',
        network: requirements.network,
        accepted: requirements,
        payload: await prepared.sign(),
      }
      calls.push(await scheme.prepare(payment, requirements))
    }
    const call = size === 1 ? calls[0] : evm.groups.join(calls)
    const transaction = await evm.sign(call, { signer: account, nonce: await evm.nextNonce(account) })
    await evm.send(transaction)
    const { gasUsed, logs } = await chain.client.waitForTransactionReceipt({ hash: transaction.hash })
    if (logs.length < 2 * size) throw new Error(`${size} payments, ${logs.length} logs`)
    figures.push([size, Number(gasUsed) / size])
  }
  return figures
}
