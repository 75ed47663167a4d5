import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from './root.mjs'
import { findWorkspaces, isPublic } from './workspaces.mjs'

/** What is wrong with the changesets of a folder, read with the parser that a release reads them with. */
export function changesetProblems({ dir = join(root, '.changeset'), names = publicNames() } = {}) {
  const parse = releaseParser()
  const problemOf = (text) => {
    try {
      const { summary, releases } = parse(text)
      const stranger = releases.find(({ name }) => !names.includes(name))
      if (stranger) return `${stranger.name} is no public package`
      if (releases.length === 0) return 'names no package'
      return summary === '' ? 'does not say what is different' : undefined
    } catch (error) {
      return `cannot be read: ${error.message.split('\n')[0]}`
    }
  }
  return readdirSync(dir)
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .flatMap((file) => {
      const problem = problemOf(readFileSync(join(dir, file), 'utf8'))
      return problem === undefined ? [] : [`.changeset/${file}: ${problem}`]
    })
}

const publicNames = () =>
  findWorkspaces()
    .filter(isPublic)
    .map(({ name }) => name)

/** A dependency of a dependency of ours: it is asked for from where it is used. */
function releaseParser() {
  const from = (file) => createRequire(realpathSync(file))
  const cli = from(join(root, 'node_modules/@changesets/cli/package.json'))
  const { default: parse } = from(cli.resolve('@changesets/read'))('@changesets/parse')
  return parse
}
