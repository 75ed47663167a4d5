// The whole repository as one TypeScript program: types, dropped promises, public names without a docstring.
import { missingDocstrings } from '../lib/docstrings.mjs'
import { floatingPromises } from '../lib/floating.mjs'
import { createRepositoryProgram, typeErrors } from '../lib/program.mjs'
import { report } from '../lib/report.mjs'
import { findWorkspaces, isPublic } from '../lib/workspaces.mjs'

const program = createRepositoryProgram()
report([
  ...typeErrors(program),
  ...floatingPromises(program),
  ...missingDocstrings(program, findWorkspaces().filter(isPublic)),
])
