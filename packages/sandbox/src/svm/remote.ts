import { setTimeout as sleep } from 'node:timers/promises'
import { createJsonRpc, type JsonRpc } from '../evm/json-rpc.js'
import { SandboxError } from '../sandbox-error.js'
import { issuer, svmUsdcAddress } from './genesis.js'
import type { SvmLevers } from './levers.js'
import { programs } from './programs.js'
import type { Address } from './wire/address.js'
import { parseBase58 } from './wire/base58.js'
import { buildTransaction } from './wire/build.js'
import { associatedTokenAddress } from './wire/derived-address.js'
import { parseSecretKey } from './wire/keypair.js'
import { decodeMint } from './wire/token-layout.js'

/**
 * The levers of a node that runs already, as far as JSON-RPC has them; it must have begun with the sandbox's accounts.
 * Throws `chain_unreachable`, and `wrong_chain` for a node without the sandbox's USDC.
 */
export async function connectLevers(rpcUrl: string): Promise<SvmLevers> {
  const rpc = createJsonRpc(rpcUrl)
  await assertSandboxMint(rpc)
  return {
    async fund(owner, amount, mint = svmUsdcAddress) {
      const program = await ownerOf(rpc, mint)
      await confirm(rpc, await mintTo(rpc, { owner, amount, mint, program }))
    },
    async balance(owner, mint = svmUsdcAddress) {
      const address = associatedTokenAddress(owner, mint, await ownerOf(rpc, mint))
      try {
        const { amount } = await valueFrom(rpc, 'getTokenAccountBalance', address, processed)
        return BigInt(String(amount))
      } catch (error) {
        if (SandboxError.is(error) && error.code === 'rpc_refused') return 0n
        throw error
      }
    },
    lamports: async (address) => BigInt(String(member(await rpc.call('getBalance', address, processed), 'value'))),
    slot: async () => BigInt(await slotOf(rpc)),
    step: (slots = 1) => waitFor(() => slotOf(rpc), slots),
    expireBlockhashes: () => waitFor(async () => Number(await rpc.call('getBlockHeight', processed)), 151),
    setTick: () => Promise.reject(missing('setTick')),
    warp: () => Promise.reject(missing('warp')),
    intercept: () => {
      throw missing('intercept')
    },
    freeze: () => {
      throw missing('freeze')
    },
    getAccount: () => Promise.reject(missing('getAccount')),
    setAccount: () => Promise.reject(missing('setAccount')),
    addProgram: () => Promise.reject(missing('addProgram')),
    snapshot: () => Promise.reject(missing('snapshot')),
  }
}

/** Where a node at `rpcUrl` takes subscriptions: the next port, when it has one of its own. */
export function wsUrlOf(rpcUrl: string): string {
  const url = new URL(rpcUrl)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  if (url.port !== '') url.port = String(Number(url.port) + 1)
  return url.href.replace(/\/$/, '')
}

/** What the node does not do. */
export function missing(lever: string): SandboxError {
  return new SandboxError('cheat_missing', `A node that runs already has no ${lever}.`)
}

const processed = { commitment: 'processed' }
const confirmed = { commitment: 'confirmed' }

async function assertSandboxMint(rpc: JsonRpc): Promise<void> {
  const found = member(await rpc.call('getAccountInfo', svmUsdcAddress, { ...processed, encoding: 'base64' }), 'value')
  const data = found === null ? undefined : member(found, 'data')
  const bytes = Array.isArray(data) ? Buffer.from(String(data[0]), 'base64') : new Uint8Array()
  if (decodeMint(bytes)?.mintAuthority === issuer.address) return
  throw new SandboxError('wrong_chain', 'The node has no USDC of the sandbox.')
}

async function ownerOf(rpc: JsonRpc, mint: Address): Promise<Address> {
  return String((await valueFrom(rpc, 'getAccountInfo', mint, { ...processed, encoding: 'base64' })).owner)
}

type NewTokens = { readonly owner: Address; readonly amount: bigint; readonly mint: Address; readonly program: Address }

/** The signature of a transaction in which the issuer makes the owner's token account, if need be, and mints. */
async function mintTo(rpc: JsonRpc, { owner, amount, mint, program }: NewTokens): Promise<string> {
  const { blockhash } = await valueFrom(rpc, 'getLatestBlockhash', confirmed)
  const account = associatedTokenAddress(owner, mint, program)
  const payer = { address: issuer.address, signer: true, writable: true }
  const others = [owner, mint, programs.system, program].map((address) => ({ address }))
  const create = {
    program: programs.associatedToken,
    accounts: [payer, { address: account, writable: true }, ...others],
    data: Uint8Array.of(1),
  }
  const data = Buffer.alloc(9)
  data[0] = 7
  data.writeBigUInt64LE(amount, 1)
  const minting = {
    program,
    accounts: [{ address: mint, writable: true }, { address: account, writable: true }, payer],
    data,
  }
  const note = { program: programs.memo, accounts: [], data: Buffer.from(`fund ${fundings++}`) }
  const bytes = parseBase58(String(blockhash)) ?? new Uint8Array(32)
  const wire = buildTransaction([parseSecretKey(issuer.secretKey)], [create, minting, note], bytes)
  return String(
    await rpc.call('sendTransaction', Buffer.from(wire).toString('base64'), { encoding: 'base64', ...preflight }),
  )
}

let fundings = 0
const preflight = { preflightCommitment: 'confirmed' }

/** Waits until a transaction is confirmed. */
async function confirm(rpc: JsonRpc, signature: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const status: unknown = (await valueFrom(rpc, 'getSignatureStatuses', [signature]))[0]
    const level = isObject(status) ? status.confirmationStatus : undefined
    if (level === 'confirmed' || level === 'finalized') return
    await sleep(100)
  }
  throw new SandboxError('rpc_refused', 'The node did not confirm a transaction within a minute.')
}

async function waitFor(read: () => Promise<number>, more: number): Promise<void> {
  const goal = (await read()) + more
  while ((await read()) < goal) await sleep(50)
}

async function slotOf(rpc: JsonRpc): Promise<number> {
  return Number(await rpc.call('getSlot', processed))
}

/** The value of an answer that says of which slot it speaks. */
async function valueFrom(
  rpc: JsonRpc,
  method: string,
  ...params: unknown[]
): Promise<Readonly<Record<string, unknown>>> {
  const value = member(await rpc.call(method, ...params), 'value')
  if (isObject(value)) return value
  throw new SandboxError('rpc_refused', `The node gave no answer to ${method}.`)
}

function member(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
