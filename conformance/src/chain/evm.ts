import { createHash, randomBytes } from 'node:crypto'
import { type EvmChain, startEvmChain, usdcAbi } from '@groat/sandbox'
import { type Hex, parseEventLogs } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { type Authorization, signAuthorization, type TokenDomain } from '../wire/eip3009.js'
import type { Terms } from '../wire/messages.js'
import type { Payer, Rail, Transfer } from './rail.js'

/** What a check may change about an authorization. */
export type EvmTweak = {
  readonly authorization?: Partial<Authorization>
  readonly domain?: Partial<TokenDomain>
  readonly signWith?: string
}

/** An EVM chain of the kit. */
export interface EvmRail extends Rail {
  readonly family: 'evm'
  readonly chain: EvmChain
  /** The payload of a payment by EIP-3009, with something about it changed before it is signed. */
  sign(payer: Payer, terms: Terms, tweak?: EvmTweak): Promise<EvmPayload>
  /** Sends what the kit itself has to send, one after the other: its accounts are shared by checks that run at once. */
  inTurn<T>(send: () => Promise<T>): Promise<T>
  /** Hands an authorization in as a stranger would. Resolves with the hash when it is mined. */
  submit(payload: EvmPayload): Promise<string>
  /** Seconds since 1970, as the next block has it. */
  now(): Promise<number>
}

/** The payload of `exact` by EIP-3009. */
export type EvmPayload = { readonly signature: Hex; readonly authorization: Authorization }

/** The domain of the sandbox's USDC. */
export const usdcName = { name: 'USDC', version: '2' } as const

/** Starts a chain, or uses the one at `rpcUrl`. */
export async function startEvmRail(rpcUrl?: string): Promise<EvmRail> {
  const chain = await startEvmChain({ rpcUrl: rpcUrl ?? false, ...(rpcUrl === undefined ? { blockTime: 1 } : {}) })
  const domain = { ...usdcName, chainId: chain.chainId, verifyingContract: chain.usdc }

  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(send: () => Promise<T>): Promise<T> => {
    const mine = turn.then(send)
    turn = mine.catch(() => {})
    return mine
  }

  async function sign(payer: Payer, terms: Terms, tweak: EvmTweak = {}): Promise<EvmPayload> {
    const now = await chain.now()
    const authorization = {
      from: payer.address,
      to: terms.payTo,
      value: terms.amount,
      validAfter: String(now - 60),
      validBefore: String(now + terms.maxTimeoutSeconds),
      nonce: `0x${randomBytes(32).toString('hex')}`,
      ...tweak.authorization,
    }
    // Keys of the kit are made below.
    const key = (tweak.signWith ?? payer.key) as Hex
    return { signature: await signAuthorization(key, { ...domain, ...tweak.domain }, authorization), authorization }
  }

  return {
    family: 'evm',
    network: chain.network,
    v1Network: 'base-sepolia',
    asset: chain.usdc,
    rpcUrl: chain.rpcUrl,
    chain,
    inTurn,
    sign,
    pay: (payer, terms, nonce) =>
      sign(payer, terms, nonce === undefined ? {} : { authorization: { nonce: `0x${nonce}` } }),
    now: () => chain.now(),
    async payer(holds) {
      const key: Hex = `0x${randomBytes(32).toString('hex')}`
      const { address } = privateKeyToAccount(key)
      if (holds > 0n) await chain.fund(address, holds)
      return { address, key }
    },
    recipient: async () => privateKeyToAccount(`0x${randomBytes(32).toString('hex')}`).address,
    terms: (payTo, amount) => ({
      network: chain.network,
      v1Network: 'base-sepolia',
      asset: chain.usdc,
      payTo,
      amount: String(amount),
      maxTimeoutSeconds: 120,
      extra: usdcName,
    }),
    balance: (address) => chain.balance(address as Hex),
    async transfersIn(transaction) {
      if (!/^0x[0-9a-fA-F]{64}$/.test(transaction)) return undefined
      const receipt = await chain.client.getTransactionReceipt({ hash: transaction as Hex }).catch(() => undefined)
      if (receipt?.status !== 'success') return undefined
      return parseEventLogs({ abi: usdcAbi, eventName: 'Transfer', logs: receipt.logs })
        .filter(({ address }) => address.toLowerCase() === chain.usdc.toLowerCase())
        .map(({ args: { from, to, value } }): Transfer => ({ from, to, amount: value }))
    },
    async transfersOf({ address }) {
      const query = {
        address: chain.usdc,
        abi: usdcAbi,
        eventName: 'Transfer',
        args: { from: address as Hex },
      } as const
      return (await chain.client.getContractEvents({ ...query, fromBlock: 0n })).length
    },
    identity(terms, payload) {
      const { authorization } = payload as EvmPayload
      const { from, nonce } = authorization
      const parts = [terms.network, terms.asset, from, nonce].map((part) => part.toLowerCase())
      return createHash('sha256')
        .update(JSON.stringify(['x402-pid', ...parts, 'exact']))
        .digest('hex')
    },
    submit: ({ signature, authorization: a }) =>
      inTurn(async () => {
        const hash = await chain.client.writeContract({
          account: chain.account('payer5').address,
          address: chain.usdc,
          abi: transferAbi,
          functionName: 'transferWithAuthorization',
          args: [
            a.from as Hex,
            a.to as Hex,
            BigInt(a.value),
            BigInt(a.validAfter),
            BigInt(a.validBefore),
            a.nonce as Hex,
            signature,
          ],
        })
        await chain.client.waitForTransactionReceipt({ hash })
        return hash
      }),
    stop: () => chain.stop(),
  }
}

const transferAbi = [
  {
    type: 'function',
    name: 'transferWithAuthorization',
    stateMutability: 'nonpayable',
    inputs: [
      { name: 'from', type: 'address' },
      { name: 'to', type: 'address' },
      { name: 'value', type: 'uint256' },
      { name: 'validAfter', type: 'uint256' },
      { name: 'validBefore', type: 'uint256' },
      { name: 'nonce', type: 'bytes32' },
      { name: 'signature', type: 'bytes' },
    ],
    outputs: [],
  },
] as const
