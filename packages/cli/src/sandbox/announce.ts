import { lstat, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** Where the chains of a sandbox are. */
export type SandboxNodes = { readonly evm?: string; readonly svm?: string }

/**
 * Writes down where the chains of a sandbox are, so that `groat conform` finds them by the URL of its facilitator. The
 * function it returns takes that back.
 */
export async function announceSandbox(facilitatorUrl: string, nodes: SandboxNodes): Promise<() => Promise<void>> {
  const file = fileOf(facilitatorUrl)
  await mkdir(folder(), { recursive: true, mode: 0o700 })
  await writeFile(file, JSON.stringify({ facilitatorUrl, nodes }), { mode: 0o600 })
  return async () => {
    await rm(file, { force: true })
    // The last one takes the folder along.
    await rmdir(folder()).catch(() => {})
  }
}

/** The chains behind a facilitator of a sandbox of this user; none when there is no such sandbox. */
export async function findSandbox(facilitatorUrl: string): Promise<SandboxNodes> {
  try {
    const owner = await lstat(folder())
    // Others may write into the folder of temporary files too.
    if (process.getuid !== undefined && owner.uid !== process.getuid()) return {}
    const known = JSON.parse(await readFile(fileOf(facilitatorUrl), 'utf8')) as { readonly nodes: SandboxNodes }
    return known.nodes
  } catch {
    return {}
  }
}

const folder = () => join(tmpdir(), `groat-sandboxes-${userInfo().username.replaceAll(/[^\w-]/g, '_')}`)

const fileOf = (url: string) => join(folder(), `${new URL(url).port}.json`)
