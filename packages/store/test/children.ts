import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export type Child = {
  /** What it said so far, a line each. */
  readonly lines: readonly string[]
  /** Waits until it has said that much; throws when it ends before. */
  said(count: number): Promise<void>
  /** Tells it to go on. */
  go(): void
  /** Stops it where it stands: it says nothing more, and closes nothing. */
  pause(): void
  /** Kills it where it stands. */
  kill(): Promise<void>
  /** Waits for its end and answers with what it said; throws when it failed. */
  end(): Promise<readonly string[]>
}

/** Compiles `child.ts` to where it finds its dependencies. */
export async function compileChild() {
  const folder = mkdtempSync(fileURLToPath(new URL('../node_modules/.child-', import.meta.url)))
  const file = join(folder, 'child.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('./child.ts', import.meta.url))],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    external: ['libsql', 'pg'],
    logLevel: 'error',
  })
  const running = new Set<ChildProcessWithoutNullStreams>()

  return {
    /** Starts a child and waits until it is ready for `go()`. */
    async start(...args: string[]): Promise<Child> {
      const child = spawn(process.execPath, [file, ...args])
      running.add(child)
      const started = follow(child)
      void once(child, 'close').then(() => running.delete(child))
      await started.said(1)
      return started
    },
    /** Kills those that a failed test left, and removes the file. */
    async remove() {
      for (const child of running) child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function follow(child: ChildProcessWithoutNullStreams): Child {
  const lines: string[] = []
  let errors = ''
  const reader = createInterface(child.stdout)
  reader.on('line', (line) => lines.push(line))
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const closed = once(child, 'close')

  return {
    lines,
    async said(count) {
      while (lines.length < count) {
        if (child.exitCode !== null) throw new Error(`The child ended early.\n${errors}`)
        await Promise.race([once(reader, 'line'), closed])
      }
    },
    go: () => void child.stdin.write('go\n'),
    pause: () => void child.kill('SIGSTOP'),
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
    async end() {
      const [code] = await closed
      if (code !== 0) throw new Error(`The child failed.\n${errors}`)
      return lines
    },
  }
}
