import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { SandboxError } from '../sandbox-error.js'

/** A running anvil that is ours. */
export type Anvil = {
  readonly rpcUrl: string
  readonly pid: number
  /** Ends the process and waits until it is gone. May be called again. */
  stop(): Promise<void>
}

export type AnvilOptions = {
  readonly path: string
  readonly port: number
  readonly chainId: number
  readonly readyTimeoutMs: number
  readonly blockTime?: number | undefined
}

/** Starts anvil and waits until it listens. Throws `anvil_missing`, `port_taken`, `chain_not_ready`. */
export async function startAnvil(options: AnvilOptions): Promise<Anvil> {
  // Its own session: Ctrl-C in a terminal reaches the caller, who then stops the chain in order.
  const child = spawn(options.path, argumentsOf(options), { stdio: ['ignore', 'pipe', 'pipe'], detached: !windows })
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const disarm = armGuardian(child)
  void gone.then(disarm)
  const stop = async () => {
    child.kill('SIGTERM')
    const deadline = setTimeout(() => child.kill('SIGKILL'), 2_000)
    await gone
    clearTimeout(deadline)
  }
  try {
    const rpcUrl = await listening(child, options)
    return { rpcUrl, pid: child.pid ?? 0, stop }
  } catch (error) {
    if (child.pid !== undefined) await stop()
    throw error
  }
}

/**
 * Path of the anvil binary that npm installed for this platform. Throws `anvil_missing`.
 * Not the package's own `anvil` command: that is a Node script, and killing it would leave anvil running.
 *
 * @example
 * ```ts
 * spawn(findAnvil(), ['--version'], { stdio: 'inherit' })
 * ```
 */
export function findAnvil(
  platform: string = process.platform,
  arch: string = process.arch,
  resolve: (from: string, request: string) => string = (from, request) => createRequire(from).resolve(request),
): string {
  const cpu = arch === 'x64' ? 'amd64' : arch
  const binary = platform === 'win32' ? 'anvil.exe' : 'anvil'
  try {
    const wrapper = resolve(import.meta.url, '@foundry-rs/anvil/package.json')
    return resolve(wrapper, `@foundry-rs/anvil-${platform}-${cpu}/bin/${binary}`)
  } catch (cause) {
    throw new SandboxError('anvil_missing', `No anvil is installed for ${platform} ${arch}.`, { cause })
  }
}

const windows = process.platform === 'win32'

function argumentsOf({ port, chainId, blockTime }: AnvilOptions): string[] {
  return [
    ...['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId)],
    // Anvil would keep old states in a folder that it never removes. It still remembers some 500 blocks in memory.
    ...['--max-persisted-states', '0'],
    ...(blockTime === undefined ? [] : ['--block-time', String(blockTime), '--mixed-mining']),
  ]
}

/** With port 0 anvil takes a free port itself, so nobody can take it between choosing and binding. */
function listening(child: ChildProcess, options: AnvilOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    const timer = setTimeout(
      () => reject(notReady(`Anvil did not listen within ${options.readyTimeoutMs} ms.`, stderr)),
      options.readyTimeoutMs,
    )
    const settle = (settled: () => void) => {
      clearTimeout(timer)
      settled()
    }
    child.stdout?.setEncoding('utf8').on('data', function read(this: NodeJS.ReadableStream, text: string) {
      stdout += text
      const address = /Listening on (\S+:\d+)/.exec(stdout)?.[1]
      if (address === undefined) return
      this.off('data', read).resume()
      settle(() => resolve(`http://${address}`))
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4_000)
    })
    child.once('error', (cause) => {
      settle(() => reject(new SandboxError('anvil_missing', `Anvil could not be run from ${options.path}.`, { cause })))
    })
    child.once('close', () => {
      settle(() =>
        reject(
          /already in use|os error (98|48|10048)/i.test(stderr)
            ? new SandboxError('port_taken', `Port ${options.port} on 127.0.0.1 is taken.`)
            : notReady('Anvil ended before it listened.', stderr),
        ),
      )
    })
  })
}

function notReady(summary: string, stderr: string): SandboxError {
  return new SandboxError('chain_not_ready', summary, { cause: new Error(stderr.trim() || 'it wrote nothing') })
}

/**
 * A shell that waits on a pipe from us. However this process ends, kill -9 included, the system closes the pipe and
 * the shell ends anvil. On Windows Node already puts children in a job that ends with their parent.
 */
function armGuardian(child: ChildProcess): () => void {
  if (windows || child.pid === undefined) return () => {}
  const options: SpawnOptions = { stdio: ['pipe', 'ignore', 'ignore'], detached: true }
  const guardian = spawn('/bin/sh', ['-c', 'read _; kill -9 "$0"', String(child.pid)], options)
  guardian.on('error', () => {}) // no /bin/sh: the chain works, only a killed parent would leave it behind
  guardian.unref()
  return () => guardian.kill('SIGKILL')
}
