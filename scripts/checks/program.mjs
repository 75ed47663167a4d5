// The whole repository as one TypeScript program: types, the examples of the READMEs among them, dropped promises, and
// public names without a docstring.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { missingDocstrings } from '../lib/docstrings.mjs'
import { floatingPromises } from '../lib/floating.mjs'
import { createRepositoryProgram, typeErrors } from '../lib/program.mjs'
import { report } from '../lib/report.mjs'
import { root } from '../lib/root.mjs'
import { findWorkspaces, isPublic } from '../lib/workspaces.mjs'

const published = findWorkspaces().filter(isPublic)
const documents = ['README.md', ...published.map(({ path }) => `${path}/README.md`)]
const program = createRepositoryProgram({ documents: documents.filter((path) => existsSync(join(root, path))) })
report([...typeErrors(program), ...floatingPromises(program), ...missingDocstrings(program, published)])
