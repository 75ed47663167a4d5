// Every changeset is one that a release can be made of.
import { changesetProblems } from '../lib/changesets.mjs'
import { report } from '../lib/report.mjs'

report(changesetProblems())
