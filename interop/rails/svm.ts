import { network } from '@groat/core'
import { startSvmChain } from '@groat/sandbox'
import { createSvmChain } from '@groat/svm/chain'
import { exactSvm as settles } from '@groat/svm/exact/facilitator'
import { exactSvm as sells } from '@groat/svm/exact/server'
import { createSolanaRpc } from '@solana/kit'
import { legacyFetch, legacyServer } from '../peers/legacy.js'
import { officialExpress, officialHono } from '../peers/official.js'
import { officialSvmFacilitator, officialSvmFetch, officialSvmScheme } from '../peers/official-svm.js'
import { ourExpress, ourFacilitator, ourHono, ourSvmPayer } from '../peers/ours.js'
import { fetched, type Rail } from './rail.js'

const NETWORK = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1'
/** Of the seed that is thirty-two times 77. */
const POOR_KEY = '2Ye7HdjVLrVVgq9vq2sxjTzjGXUbhDt2CiM6VN4SFCbR31WFEKUZt9nxVMFWit5SanURDcvfWUudTFBQa8g5otLu'
const official = { network: NETWORK, scheme: officialSvmScheme } as const
const ours = { network: NETWORK, scheme: sells } as const

const ourSvmFacilitator = async ({ rpcUrl }: { readonly rpcUrl: string }, key: string) =>
  ourFacilitator(settles({ chains: [createSvmChain({ network: network(NETWORK), rpc: rpcUrl, signers: [key] })] }))

/** SPL Token on Solana. */
export const svm: Rail = {
  name: 'Solana',
  async start() {
    const chain = await startSvmChain({ rpcUrl: false })
    const rpc = createSolanaRpc(chain.rpcUrl)
    return {
      rpcUrl: chain.rpcUrl,
      account(role) {
        const { address, secretKey } = chain.account(role)
        return { address, key: secretKey }
      },
      balance: (address) => chain.balance(address),
      async transfers(payer) {
        const account = chain.accounts.find(({ address }) => address === payer)
        if (account === undefined) return 0
        const found = await rpc
          .getSignaturesForAddress(account.usdcAccount as never, { commitment: 'confirmed' })
          .send()
        return found.length
      },
      nextBlock: () => chain.step(),
      stop: () => chain.stop(),
    }
  },
  clients: {
    'our client': (key, { rpcUrl }) => fetched(ourSvmPayer(key, rpcUrl).fetch),
    'our client, v1 allowed': (key, { rpcUrl }) =>
      fetched(ourSvmPayer(key, rpcUrl, [2, 1]).fetch, 'X-PAYMENT-RESPONSE'),
    'official fetch': async (key, chain) => fetched(await officialSvmFetch(key, chain)),
    'official fetch, v1': async (key, chain) =>
      fetched(await officialSvmFetch(key, chain, fetch, 1), 'X-PAYMENT-RESPONSE'),
    'legacy fetch': async (key, { rpcUrl }) =>
      fetched(await legacyFetch('solana-devnet', key, rpcUrl), 'X-PAYMENT-RESPONSE'),
  },
  servers: {
    'our Hono': ourHono(ours),
    'our Express': ourExpress(ours),
    'official Express': officialExpress(official),
    'official Hono': officialHono(official),
    'legacy Express': legacyServer('solana-devnet'),
  },
  facilitators: { 'our facilitator': ourSvmFacilitator, 'official facilitator': officialSvmFacilitator },
  pairings: [
    ['our client', 'our Hono'],
    ['our client', 'our Express'],
    ['our client', 'official Express'],
    ['our client', 'official Hono'],
    ['our client, v1 allowed', 'legacy Express'],
    ['official fetch', 'our Hono'],
    ['official fetch', 'our Express'],
    ['official fetch', 'official Express'],
    ['official fetch', 'official Hono'],
    // It reads the version 2 of an answer that speaks both.
    ['official fetch, v1', 'legacy Express'],
    ['legacy fetch', 'our Hono'],
    ['legacy fetch', 'our Express'],
    ['legacy fetch', 'legacy Express'],
  ],
  transaction: /^[1-9A-HJ-NP-Za-km-z]{80,90}$/,
  ours: { facilitator: ourSvmFacilitator, express: ourExpress(ours), hono: ourHono(ours) },
  officialFetch: (key, chain, base) => officialSvmFetch(key, chain, base),
  poorKey: POOR_KEY,
  tamper(payload) {
    const bytes = Buffer.from(String(payload.transaction), 'base64')
    // The amount of the transfer stands somewhere in the message; the last byte is the number of lookup tables.
    bytes[bytes.length - 2] = (bytes[bytes.length - 2] ?? 0) ^ 1
    payload.transaction = bytes.toString('base64')
  },
  tampered: 'invalid_exact_svm_payload_signature_invalid',
}
