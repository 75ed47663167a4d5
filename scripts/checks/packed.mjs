// Every public package as it would be published: publint and "are the types wrong" on the packed tarball.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packedProblems } from '../lib/packed.mjs'
import { pnpm } from '../lib/pnpm.mjs'
import { report } from '../lib/report.mjs'
import { findWorkspaces, isPublic } from '../lib/workspaces.mjs'

const dir = mkdtempSync(join(tmpdir(), 'groat-pack-'))
try {
  const filters = findWorkspaces()
    .filter(isPublic)
    .flatMap(({ name }) => ['--filter', name])
  const { code, output } = await pnpm(['-r', ...filters, 'pack', '--pack-destination', dir])
  if (code !== 0) report([output])
  for (const file of readdirSync(dir)) report(await packedProblems(join(dir, file)))
} finally {
  rmSync(dir, { recursive: true, force: true })
}
