import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { runCli } from '../src/program.js'
import { type Sandbox, startSandbox } from '../src/sandbox/sandbox.js'
import { recordedIo } from './io.js'

/** A sandbox for a test file, and services that are started from files beside it. What is started is stopped, the last one first. */
export function useShop(only: 'evm' | 'svm' = 'evm') {
  const on = {} as { sandbox: Sandbox; folder: string }
  const ends: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    on.sandbox = await startSandbox({ demo: false, only })
    on.folder = await mkdtemp(join(tmpdir(), 'groat-shop-'))
  }, 60_000)
  afterAll(async () => {
    for (const end of ends.reverse()) await end()
    await on.sandbox?.stop()
    if (on.folder !== undefined) await rm(on.folder, { recursive: true, force: true })
  })

  function account(role: string) {
    const found = on.sandbox.ready.accounts.find((each) => each.role === role)?.evm
    if (found === undefined) throw new Error(`${role} has no account`)
    return found
  }

  async function rpc(method: string, ...params: unknown[]): Promise<string> {
    const response = await fetch(on.sandbox.ready.evm?.rpcUrl ?? '', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    return ((await response.json()) as { result: string }).result
  }

  return Object.assign(on, {
    account,
    rpc,

    /** Serves what a file says: what it is ready with, its file, and how it is stopped before the end. */
    async serve(command: 'facilitator' | 'serve', text: string, environment: Record<string, string> = {}) {
      const file = join(on.folder, `${command}-${ends.length}.yaml`)
      await writeFile(file, text)
      const io = recordedIo({ environment })
      const end = runCli([command, file], io)
      const close = async (): Promise<void> => {
        io.stop()
        await end
      }
      ends.push(close)
      const said = await Promise.race([io.firstLine, end.then(() => io.said())])
      return { ...JSON.parse(said).ready, close, file }
    },

    /** What an account has of the sandbox's USDC, in atomic units. */
    balance: async (role: string): Promise<bigint> => {
      const data = `0x70a08231${account(role).address.slice(2).padStart(64, '0')}`
      return BigInt(await rpc('eth_call', { to: on.sandbox.ready.evm?.usdc, data }, 'latest'))
    },

    /** Has the sandbox's USDC called by an account of the node; resolves with the transaction once it is in a block. */
    async send(from: string, data: string): Promise<string> {
      const hash = await rpc('eth_sendTransaction', { from, to: on.sandbox.ready.evm?.usdc, data })
      await vi.waitFor(async () => expect(await rpc('eth_getTransactionReceipt', hash)).not.toBeNull(), 20_000)
      return hash
    },
  })
}

/** Runs a command that answers JSON lines. */
export async function runJson(args: readonly string[], environment: Record<string, string>) {
  const io = recordedIo({ environment })
  const exitCode = await runCli([...args, '--json'], io)
  const lines = io.written().trim().split('\n').filter(Boolean)
  return { exitCode, said: io.said(), json: lines.map((line) => JSON.parse(line)) }
}
