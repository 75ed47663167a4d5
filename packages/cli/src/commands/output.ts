import { open, rm, stat, writeFile } from 'node:fs/promises'
import { CliError } from '../terminal/exit.js'

/** Asks whether an answer can be written to a file, before anything is paid for it. Leaves the file as it was. Throws a usage error. */
export async function checkOutput(file: string): Promise<void> {
  try {
    const found = await stat(file).catch(() => undefined)
    // A pipe or a terminal would notice.
    if (found !== undefined && !found.isFile() && !found.isDirectory()) return
    // Appending nothing changes nothing, and what it creates is taken away.
    await (await open(file, 'a')).close()
    if (found === undefined) await rm(file)
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be written: ${reasonOf(cause)}`, undefined, { cause })
  }
}

/** Writes an answer; why it could not, where it could not. */
export async function writeOutput(file: string, body: Uint8Array): Promise<string | undefined> {
  return writeFile(file, body).then(
    () => undefined,
    (error: unknown) => `${file} cannot be written: ${reasonOf(error)}`,
  )
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
