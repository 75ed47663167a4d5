// Manifests and arrows: one catalog of versions, no dead dependency, and nobody uses what stands above them.
import { brokenArrows } from '../lib/arrows.mjs'
import {
  fixedGroupProblems,
  incompleteManifests,
  strayVersions,
  unexplainedDependencies,
  unusedCatalogEntries,
  unusedDependencies,
} from '../lib/manifests.mjs'
import { report } from '../lib/report.mjs'
import { findWorkspaces, isPublic } from '../lib/workspaces.mjs'

const workspaces = findWorkspaces()
const isTooling = ({ path }) => path.startsWith('tooling')

report([
  ...strayVersions(workspaces),
  ...unusedCatalogEntries(workspaces),
  ...unusedDependencies(workspaces.filter((workspace) => !isTooling(workspace))),
  ...incompleteManifests(workspaces),
  ...fixedGroupProblems(workspaces),
  ...unexplainedDependencies(workspaces),
  ...brokenArrows(workspaces.filter(isPublic)),
])
