import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Address,
  address,
  appendTransactionMessageInstructions,
  type Blockhash,
  createKeyPairSignerFromBytes,
  createSolanaRpc,
  createSolanaRpcSubscriptions,
  createTransactionMessage,
  generateKeyPairSigner,
  getBase58Encoder,
  getBase64EncodedWireTransaction,
  getSignatureFromTransaction,
  type Instruction,
  type KeyPairSigner,
  lamports,
  pipe,
  type Signature,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
} from '@solana/kit'
import { findAssociatedTokenPda, getTransferCheckedInstruction, TOKEN_PROGRAM_ADDRESS } from '@solana-program/token'
import { afterAll, beforeAll, test } from 'vitest'
import { type SvmChain, type SvmChainOptions, type SvmRole, startSvmChain, svmUsdcAddress } from '../src/index.js'

export const usdc = address(svmUsdcAddress)

/** For tests that pull levers which a validator does not have. */
export const testHere: (name: string, body: () => unknown) => void = process.env.GROAT_SVM_RPC_URL ? test.skip : test

/** One chain for a test file: a new one, or the node at `GROAT_SVM_RPC_URL`. Nothing is brought back between tests. */
export function useSvm(options: SvmChainOptions = {}) {
  let chain: SvmChain
  beforeAll(async () => {
    chain = await startSvmChain(options)
  })
  afterAll(() => chain?.stop())

  const rpc = () => createSolanaRpc(chain.rpcUrl)

  /** What the node says to one call, envelope and all; to any body, in fact. */
  async function post(body: unknown, headers: Record<string, string> = { 'content-type': 'application/json' }) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(chain.rpcUrl, { method: 'POST', headers, body: text })
    const answer = await response.text()
    return {
      status: response.status,
      body: answer.startsWith('{') || answer.startsWith('[') ? JSON.parse(answer) : answer,
    }
  }

  async function call(method: string, ...params: unknown[]) {
    const { body } = await post({ jsonrpc: '2.0', id: 1, method, params })
    return 'error' in body ? { error: body.error } : body.result
  }

  /** A new key with SOL and USDC (atomic units). */
  async function newcomer(tokens = 0n): Promise<KeyPairSigner> {
    const signer = await generateKeyPairSigner()
    await landed(await rpc().requestAirdrop(signer.address, lamports(1_000_000_000n)).send())
    if (tokens > 0n) await chain.fund(signer.address, tokens)
    return signer
  }

  /** Waits until a transaction is confirmed. */
  async function landed(signature: Signature): Promise<Signature> {
    for (;;) {
      const [status] = (await rpc().getSignatureStatuses([signature]).send()).value
      if (status?.confirmationStatus === 'confirmed' || status?.confirmationStatus === 'finalized') return signature
      await sleep(20)
    }
  }

  return {
    get chain() {
      return chain
    },
    get rpc() {
      return rpc()
    },
    get subscriptions() {
      return createSolanaRpcSubscriptions(chain.wsUrl)
    },
    post,
    call,
    newcomer,
    landed,
    signer: (role: SvmRole) => signerOf(chain.account(role).secretKey),
    async blockhash() {
      return (await rpc().getLatestBlockhash({ commitment: 'confirmed' }).send()).value
    },
    /** A signed transaction. */
    async sign(payer: KeyPairSigner, instructions: readonly Instruction[], lifetime?: Lifetime) {
      const fresh = lifetime ?? (await rpc().getLatestBlockhash({ commitment: 'confirmed' }).send()).value
      return signed(payer, instructions, fresh)
    },
    /** Sends a transaction with what a node checks first, and waits for it. */
    async run(payer: KeyPairSigner, instructions: readonly Instruction[]): Promise<Signature> {
      const { wire } = await signed(payer, instructions, (await rpc().getLatestBlockhash().send()).value)
      return landed(await rpc().sendTransaction(wire, { encoding: 'base64' }).send())
    },
  }
}

export type Lifetime = { readonly blockhash: Blockhash; readonly lastValidBlockHeight: bigint }

/** A version 0 transaction with all its signatures, as bytes in base64. */
export async function signed(payer: KeyPairSigner, instructions: readonly Instruction[], lifetime: Lifetime) {
  const transaction = await pipe(
    createTransactionMessage({ version: 0 }),
    (message) => setTransactionMessageFeePayerSigner(payer, message),
    (message) => setTransactionMessageLifetimeUsingBlockhash(lifetime, message),
    (message) => appendTransactionMessageInstructions(instructions, message),
    signTransactionMessageWithSigners,
  )
  return {
    transaction,
    wire: getBase64EncodedWireTransaction(transaction),
    signature: getSignatureFromTransaction(transaction),
  }
}

/** What pays USDC from one wallet to another. */
export async function transferUsdc(authority: KeyPairSigner, to: Address, amount: bigint): Promise<Instruction> {
  const [source, destination] = await Promise.all([tokenAccountOf(authority.address), tokenAccountOf(to)])
  return getTransferCheckedInstruction({ source, mint: usdc, destination, authority, amount, decimals: 6 })
}

export const memoProgram = address('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr')

export function memo(text: string): Instruction {
  return { programAddress: memoProgram, data: new TextEncoder().encode(text) }
}

export async function tokenAccountOf(
  owner: Address,
  mint: Address = usdc,
  tokenProgram: Address = TOKEN_PROGRAM_ADDRESS,
) {
  return (await findAssociatedTokenPda({ owner, mint, tokenProgram }))[0]
}

export function signerOf(secretKey: string): Promise<KeyPairSigner> {
  return createKeyPairSignerFromBytes(getBase58Encoder().encode(secretKey))
}
