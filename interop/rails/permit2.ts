import { createPayer } from '@groat/client'
import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { exactEvmWithPermit2 } from '@groat/evm/exact/permit2/client'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { startEvmChain, usdcAbi } from '@groat/sandbox'
import { encodeFunctionData, type Hex, maxUint256 } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { officialExpress, officialHono } from '../peers/official.js'
import { officialAxios, officialEvmFacilitator, officialEvmFetch, officialEvmScheme } from '../peers/official-evm.js'
import { ourExpress, ourFacilitator, ourHono } from '../peers/ours.js'
import { evm } from './evm.js'
import { fetched, type Rail } from './rail.js'

const NETWORK = 'eip155:84532'
const METHOD = { assetTransferMethod: 'permit2' }
const USDC = { asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', extra: { ...METHOD, name: 'USDC', version: '2' } }

// A seller of ours says that its token is paid by Permit2 by how it knows the token.
const scheme = {
  ...sells,
  offer: (terms: Parameters<typeof sells.offer>[0]) => sells.offer({ ...terms, extra: METHOD }),
}
const ours = { network: NETWORK, scheme } as const

/** The official server takes an asset with its `extra` in the place of a price in dollars. */
const official = {
  network: NETWORK,
  scheme: officialEvmScheme,
  priced: (price: string) => ({ ...USDC, amount: String(Math.round(Number(price.slice(1)) * 1e6)) }),
} as const

const ourPermit2Facilitator = async ({ rpcUrl }: { readonly rpcUrl: string }, key: string) =>
  ourFacilitator(
    settles({ chains: [await createEvmChain({ network: network(NETWORK), rpc: rpcUrl, signers: [key as Hex] })] }),
  )

/** Permit2 on an EVM chain, with payers who have approved it. */
export const permit2: Rail = {
  ...evm,
  name: 'EVM by Permit2',
  async start() {
    const chain = await startEvmChain({ rpcUrl: false })
    for (const role of ['payer', 'payer2', 'payer3', 'payer4'] as const) {
      const data = encodeFunctionData({ abi: usdcAbi, functionName: 'approve', args: [chain.permit2, maxUint256] })
      const from = chain.account(role).address
      const hash = await chain.client.sendUnsignedTransaction({ from, to: chain.usdc, data })
      await chain.client.waitForTransactionReceipt({ hash })
    }
    return {
      rpcUrl: chain.rpcUrl,
      account(role) {
        const { address, privateKey } = chain.account(role)
        return { address, key: privateKey }
      },
      balance: (address) => chain.balance(address as Hex),
      async transfers(from) {
        const query = { address: chain.usdc, abi: usdcAbi, eventName: 'Transfer', args: { from: from as Hex } } as const
        return (await chain.client.getContractEvents({ ...query, fromBlock: 0n })).length
      },
      stop: () => chain.stop(),
    }
  },
  clients: {
    'our client': (key) => {
      const account = privateKeyToAccount(key as Hex)
      return fetched(createPayer({ schemes: [exactEvmWithPermit2({ account })] }).fetch)
    },
    'official fetch': (key) => fetched(officialEvmFetch(key)),
    'official axios': (key) => officialAxios(key),
  },
  servers: {
    'our Hono': ourHono(ours),
    'our Express': ourExpress(ours),
    'official Express': officialExpress(official),
    'official Hono': officialHono(official),
  },
  facilitators: { 'our facilitator': ourPermit2Facilitator, 'official facilitator': officialEvmFacilitator },
  pairings: [
    ['our client', 'our Hono'],
    ['our client', 'official Express'],
    ['our client', 'official Hono'],
    ['official fetch', 'our Hono'],
    ['official fetch', 'our Express'],
    ['official fetch', 'official Express'],
    ['official axios', 'our Express'],
  ],
  ours: { facilitator: ourPermit2Facilitator, express: ourExpress(ours), hono: ourHono(ours) },
  tamper(payload) {
    const authorization = payload.permit2Authorization as { deadline: string }
    authorization.deadline = String(Number(authorization.deadline) - 1)
  },
  tampered: 'invalid_permit2_signature',
}
