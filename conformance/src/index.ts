export {
  type Baseline,
  type BaselineEntry,
  baselineOf,
  classesOf,
  isRed,
  type Judgement,
  judge,
  readBaseline,
} from './baseline.js'
export type { Payer, Rail, Sponsor, Transfer } from './chain/rail.js'
export { startRail } from './chain/start.js'
export {
  type Conformance,
  type ConformOptions,
  closingLine,
  conform,
  conformExit,
  type Replay,
  readReplay,
  writeReports,
} from './conform.js'
export { type Diagnosis, examine } from './doctor.js'
export { matches } from './model/check.js'
export { formatFinding, oneLine } from './model/finding.js'
export type {
  ChainDiff,
  CheckKind,
  CheckResult,
  Exchange,
  Family,
  FindingText,
  Profile,
  Role,
  Status,
} from './model/result.js'
export { type Regression, readRegressions, writeRegressions } from './regressions.js'
export { renderHtml } from './report/html.js'
export { renderJunit } from './report/junit.js'
export { type RunRecord, readRuns } from './report/read.js'
export { absentAreas, renderBadge, renderMarkdown, scoreOf } from './report/summary.js'
export { allChecks, type CheckEntry, explain } from './run/catalogue.js'
export { type RunEvent, type RunHeader, type RunOptions, type RunSummary, run } from './run/run.js'
export {
  type CallAnswer,
  type ClientAnswer,
  type ClientCall,
  type ClientEndpoint,
  type ClientMessage,
  type ClientPurse,
  type ClientRequest,
  type Endpoint,
  type LibraryEndpoint,
  type MessageAnswer,
  type Opened,
  type RefundAnswer,
  readTarget,
  type Support,
  type Target,
  UsageError,
  type Vector,
  type VectorAnswer,
} from './target/manifest.js'
export { UnreachableError } from './target/process.js'
