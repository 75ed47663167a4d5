import { network } from '@groat/core'
import { createEvmChain } from '@groat/evm/chain'
import { exactEvm as settles } from '@groat/evm/exact/facilitator'
import { exactEvm as sells } from '@groat/evm/exact/server'
import { startEvmChain, usdcAbi } from '@groat/sandbox'
import type { Hex } from 'viem'
import { legacyFetch, legacyServer } from '../peers/legacy.js'
import { officialExpress, officialHono } from '../peers/official.js'
import { officialAxios, officialEvmFacilitator, officialEvmFetch, officialEvmScheme } from '../peers/official-evm.js'
import { ourEvmPayer, ourExpress, ourFacilitator, ourHono } from '../peers/ours.js'
import { fetched, type Rail } from './rail.js'

const NETWORK = 'eip155:84532'
const official = { network: NETWORK, scheme: officialEvmScheme } as const
const ours = { network: NETWORK, scheme: sells } as const

const ourEvmFacilitator = async ({ rpcUrl }: { readonly rpcUrl: string }, key: string) =>
  ourFacilitator(
    settles({ chains: [await createEvmChain({ network: network(NETWORK), rpc: rpcUrl, signers: [key as Hex] })] }),
  )

/** EIP-3009 on an EVM chain. */
export const evm: Rail = {
  name: 'EVM',
  async start() {
    const chain = await startEvmChain({ rpcUrl: false })
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
    'our client': (key) => fetched(ourEvmPayer(key).fetch),
    'our client, v1 allowed': (key) => fetched(ourEvmPayer(key, [2, 1]).fetch, 'X-PAYMENT-RESPONSE'),
    'official fetch': (key) => fetched(officialEvmFetch(key)),
    'official axios': (key) => officialAxios(key),
    'legacy fetch': async (key) => fetched(await legacyFetch('base-sepolia', key), 'X-PAYMENT-RESPONSE'),
  },
  servers: {
    'our Hono': ourHono(ours),
    'our Express': ourExpress(ours),
    'official Express': officialExpress(official),
    'official Hono': officialHono(official),
    'legacy Express': legacyServer('base-sepolia'),
  },
  facilitators: { 'our facilitator': ourEvmFacilitator, 'official facilitator': officialEvmFacilitator },
  pairings: [
    ['our client', 'our Hono'],
    ['our client', 'our Express'],
    ['our client', 'official Express'],
    ['our client', 'official Hono'],
    ['our client, v1 allowed', 'legacy Express'],
    ['official fetch', 'our Hono'],
    ['official fetch', 'our Express'],
    ['official fetch', 'official Express'],
    ['official axios', 'our Hono'],
    ['official axios', 'our Express'],
    ['legacy fetch', 'our Hono'],
    ['legacy fetch', 'our Express'],
    ['legacy fetch', 'legacy Express'],
  ],
  transaction: /^0x[0-9a-f]{64}$/,
  ours: { facilitator: ourEvmFacilitator, express: ourExpress(ours), hono: ourHono(ours) },
  officialFetch: (key, _chain, base) => officialEvmFetch(key, base),
  poorKey: `0x${'77'.repeat(32)}`,
  tamper(payload) {
    const authorization = payload.authorization as { validBefore: string }
    authorization.validBefore = String(Number(authorization.validBefore) - 1)
  },
  tampered: 'invalid_exact_evm_signature',
}
