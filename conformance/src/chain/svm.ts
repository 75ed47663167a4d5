import { createHash, randomBytes } from 'node:crypto'
import { type SvmChain, startSvmChain } from '@groat/sandbox'
import { fail } from '../model/finding.js'
import { parseBase58 } from '../wire/base58.js'
import type { Terms } from '../wire/messages.js'
import {
  decodeTransaction,
  encodeTransaction,
  type Instruction,
  instruction,
  type Keypair,
  keypairOf,
  type Message,
  tokenAccountOf,
} from '../wire/solana.js'
import type { Payer, Rail, Transfer } from './rail.js'

/** What a check may change about a transaction. */
export type SvmTweak = {
  readonly instructions?: (usual: UsualInstructions) => readonly Instruction[]
  readonly message?: (usual: Message) => Message
  readonly signers?: (usual: readonly Keypair[]) => readonly Keypair[]
  readonly amount?: bigint
  readonly payTo?: string
}

/** The four instructions of a payment. */
export type UsualInstructions = readonly [Instruction, Instruction, Instruction, Instruction]

/** A Solana chain of the kit. */
export interface SvmRail extends Rail {
  readonly family: 'svm'
  readonly chain: SvmChain
  /** The payload of a payment, with something about its transaction changed before it is signed. */
  sign(payer: Payer, terms: Terms, tweak?: SvmTweak): Promise<{ readonly transaction: string }>
}

const decimals = 6

/** Starts a chain, or uses the one at `rpcUrl`. */
export async function startSvmRail(rpcUrl?: string): Promise<SvmRail> {
  const chain = await startSvmChain({ rpcUrl: rpcUrl ?? false })
  const keys = new Map<string, Keypair>()

  async function rpc(method: string, ...params: unknown[]): Promise<unknown> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(chain.rpcUrl, { method: 'POST', headers, body })
    return ((await answer.json()) as { readonly result?: unknown }).result
  }

  async function sign(payer: Payer, terms: Terms, tweak: SvmTweak = {}): Promise<{ readonly transaction: string }> {
    const found = (await rpc('getLatestBlockhash', { commitment: 'confirmed' })) as {
      readonly value: { readonly blockhash: string }
    }
    const transfer = {
      source: tokenAccountOf(payer.address, terms.asset),
      mint: terms.asset,
      destination: tokenAccountOf(tweak.payTo ?? terms.payTo, terms.asset),
      authority: payer.address,
    }
    const memo = terms.extra.memo ?? randomBytes(16).toString('hex')
    const usual: UsualInstructions = [
      instruction.unitLimit(20_000),
      instruction.unitPrice(1n),
      instruction.transferChecked(transfer, tweak.amount ?? BigInt(terms.amount), decimals),
      instruction.memo(String(memo)),
    ]
    const message: Message = {
      feePayer: String(terms.extra.feePayer),
      instructions: tweak.instructions?.(usual) ?? usual,
      blockhash: found.value.blockhash,
    }
    const key = keys.get(payer.address)
    const signers = key === undefined ? [] : [key]
    return { transaction: encodeTransaction(tweak.message?.(message) ?? message, tweak.signers?.(signers) ?? signers) }
  }

  return {
    family: 'svm',
    network: chain.network,
    v1Network: 'solana-devnet',
    asset: chain.usdc,
    rpcUrl: chain.rpcUrl,
    chain,
    sign,
    pay: (payer, terms, nonce) =>
      sign(payer, nonce === undefined ? terms : { ...terms, extra: { ...terms.extra, memo: nonce.slice(0, 32) } }),
    async payer(holds) {
      const pair = keypairOf(randomBytes(32))
      keys.set(pair.address, pair)
      await chain.fund(pair.address, holds)
      return { address: pair.address, key: pair.secretKey }
    },
    async recipient() {
      const { address } = keypairOf(randomBytes(32))
      await chain.fund(address, 0n)
      return address
    },
    terms(payTo, amount, { feePayer }) {
      if (feePayer === undefined)
        fail('/supported names no `extra.feePayer` for Solana, and without one nobody can pay')
      return {
        network: chain.network,
        v1Network: 'solana-devnet',
        asset: chain.usdc,
        payTo,
        amount: String(amount),
        maxTimeoutSeconds: 60,
        extra: { feePayer },
      }
    },
    balance: (address) => chain.balance(address),
    async transfersIn(transaction) {
      const config = { commitment: 'confirmed', encoding: 'json', maxSupportedTransactionVersion: 0 }
      const found = (await rpc('getTransaction', transaction, config)) as Landed | null | undefined
      if (!found?.meta || found.meta.err !== null) return undefined
      return transfersOf(found.meta, chain.usdc)
    },
    async transfersOf({ address }) {
      const account = tokenAccountOf(address, chain.usdc)
      const found = await rpc('getSignaturesForAddress', account, { commitment: 'confirmed' })
      const rows = Array.isArray(found)
        ? (found as readonly { readonly err: unknown; readonly memo?: string | null }[])
        : []
      // On a node that runs already, funding is a transaction too, with a memo that says so.
      return rows.filter(({ err, memo }) => err === null && !/\bfund \d+$/.test(memo ?? '')).length
    },
    identity(terms, payload) {
      const decoded = decodeTransaction((payload as { readonly transaction: string }).transaction)
      const message = createHash('sha256')
        .update(decoded?.message ?? '')
        .digest('hex')
      return createHash('sha256')
        .update(JSON.stringify(['x402-pid', terms.network, message]))
        .digest('hex')
    },
    stop: () => chain.stop(),
  }
}

type Landed = { readonly meta: Meta | null }
type Meta = {
  readonly err: unknown
  readonly preTokenBalances?: readonly Held[]
  readonly postTokenBalances?: readonly Held[]
}
type Held = { readonly owner?: string; readonly mint: string; readonly uiTokenAmount: { readonly amount: string } }

/** Who gave and who got, by the balances before and after. */
function transfersOf({ preTokenBalances = [], postTokenBalances = [] }: Meta, mint: string): readonly Transfer[] {
  const held = (rows: readonly Held[], owner: string) =>
    BigInt(rows.find((row) => row.owner === owner && row.mint === mint)?.uiTokenAmount.amount ?? 0)
  const owners = new Set([...preTokenBalances, ...postTokenBalances].map(({ owner = '' }) => owner))
  const changes = [...owners].map((owner) => ({
    owner,
    change: held(postTokenBalances, owner) - held(preTokenBalances, owner),
  }))
  const from = changes.find(({ change }) => change < 0n)?.owner ?? ''
  return changes.filter(({ change }) => change > 0n).map(({ owner, change }) => ({ from, to: owner, amount: change }))
}

/** Whether text is the address of an account. */
export const isSolanaAddress = (text: unknown): boolean => typeof text === 'string' && parseBase58(text)?.length === 32
