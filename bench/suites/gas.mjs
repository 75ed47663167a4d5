import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { privateKeyAccount, exactEvm as signer } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/facilitator'
import { delegateSigner, deploySelfBatch, SELF_BATCH } from '@groat/evm/self-batch'
import { uptoEvm as uptoSigner } from '@groat/evm/upto/client'
import { uptoEvm } from '@groat/evm/upto/facilitator'
import { deployEip3009Token, startEvmChain } from '@groat/sandbox'
import { generatePrivateKey } from 'viem/accounts'

const SIZES = [1, 2, 5, 10, 25, 50, 100]
/** More of what only the signer may send do not fit into 15,000,000 gas. */
const SELF_SIZES = SIZES.filter((size) => size <= 50)

/** Gas that a payment costs its facilitator, alone and in groups. Every payer is new; the seller has been paid before. */
export async function run() {
  const chain = await startEvmChain()
  try {
    const plain = await deployEip3009Token(chain)
    const usdc = {
      address: chain.usdc,
      name: 'USDC',
      version: '2',
      symbol: 'USDC',
      fund: (to) => chain.fund(to, 10n ** 6n),
    }
    const test = {
      address: plain.address,
      name: 'Authorized Dollar',
      version: '1',
      symbol: 'TEST',
      fund: (to) => plain.mint(to, 10n ** 6n),
    }
    print('exact by EIP-3009, a plain token', await measure(chain, test))
    print('exact by EIP-3009, USDC', await measure(chain, usdc))
    print('upto, USDC, in transactions of the signer to itself', await measureUpto(chain, usdc))
  } finally {
    await chain.stop()
  }
}

function print(title, figures) {
  console.log(`\ngas a payment, ${title}`)
  for (const [size, gas] of figures) {
    console.log(
      `  ${String(size).padStart(4)} together   ${Math.round(gas).toLocaleString('en').padStart(8)}   ${(gas / figures[0][1]).toFixed(2)}x`,
    )
  }
}

async function measureUpto(chain, { address, name, version, symbol, fund }) {
  const asset = assetOf(chain, { address, name, version, symbol })
  const { privateKey } = chain.account('facilitator')
  const evm = await chainOf(chain, asset)
  for (const done of [await deploySelfBatch(evm), await delegateSigner(evm, privateKeyAccount(privateKey))]) {
    if (!done.ok) throw new Error(done.detail)
  }
  const [facilitatorAddress] = evm.signers
  const ceiling = offerOf(chain, asset, { scheme: 'upto', amount: 5000n, extra: { facilitatorAddress } })
  return figuresOf(chain, evm, {
    sizes: SELF_SIZES,
    fund: async (payer) => {
      await fund(payer)
      await chain.allow(payer, chain.permit2, 2n ** 255n)
    },
    sign: (account) => uptoSigner({ account, assets: [asset] }),
    offer: ceiling,
    settle: { scheme: uptoEvm({ chains: [evm] }), terms: { ...ceiling, amount: 1000n } },
    logs: 1,
  })
}

async function measure(chain, { address, name, version, symbol, fund }) {
  const asset = assetOf(chain, { address, name, version, symbol })
  const evm = await chainOf(chain, asset)
  const terms = offerOf(chain, asset, { scheme: 'exact', amount: 1000n, extra: { name, version } })
  await fund(terms.payTo)
  return figuresOf(chain, evm, {
    sizes: SIZES,
    fund,
    sign: (account) => signer({ account, assets: [asset] }),
    offer: terms,
    settle: { scheme: exactEvm({ chains: [evm] }), terms },
    logs: 2,
  })
}

const assetOf = (chain, { address, name, version, symbol }) => ({
  network: network(chain.network),
  symbol,
  address,
  decimals: 6,
  domain: { name, version },
  transfer: 'eip3009',
})

const chainOf = (chain, asset) =>
  createEvmChain({
    network: network(chain.network),
    rpc: chain.rpcUrl,
    signers: [chain.account('facilitator').privateKey],
    assets: [asset],
    selfBatch: SELF_BATCH,
  })

const offerOf = (chain, asset, { scheme, amount, extra }) => ({
  scheme,
  network: asset.network,
  amount,
  asset: asset.address,
  payTo: chain.account('seller').address,
  maxTimeoutSeconds: 300,
  extra,
})

/** A node that is busy may have taken it in after it made its block: it is asked for another one. */
async function receiptOf(chain, hash) {
  for (let tries = 1; ; tries++) {
    const receipt = await chain.client.getTransactionReceipt({ hash }).catch(() => undefined)
    if (receipt !== undefined) return receipt
    if (tries % 50 === 0) await chain.mine()
    if (tries === 1000) throw new Error(`${hash} is in no block`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function figuresOf(chain, evm, { sizes, fund, sign, offer, settle, logs: perPayment }) {
  const [account] = evm.signers
  const context = {
    clock: Date.now,
    random: (n) => crypto.getRandomValues(new Uint8Array(n)),
    maxLifetimeSeconds: 300,
  }
  const figures = []
  for (const size of sizes) {
    const calls = []
    for (let at = 0; at < size; at++) {
      const payer = privateKeyAccount(generatePrivateKey())
      await fund(payer.address)
      const prepared = await sign(payer).prepare(offer, context)
      if (!prepared.ok) throw new Error(prepared.code)
      const { scheme, network } = offer
      const payment = { x402Version: 2, scheme, network, accepted: offer, payload: await prepared.sign() }
      calls.push(await settle.scheme.prepare(payment, settle.terms))
    }
    const call = size === 1 ? calls[0] : evm.groups.join(calls)
    const transaction = await evm.sign(call, { signer: account, nonce: await evm.nextNonce(account) })
    const said = await evm.send(transaction)
    if (said.status !== 'accepted') throw new Error(`${size} payments: ${JSON.stringify(said)}`)
    const { gasUsed, logs } = await receiptOf(chain, transaction.hash)
    if (logs.length < perPayment * size) throw new Error(`${size} payments, ${logs.length} logs`)
    figures.push([size, Number(gasUsed) / size])
  }
  return figures
}
