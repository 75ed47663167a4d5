export { runCli } from './program.js'
export { type ReadyLine, type Sandbox, type SandboxOptions, startSandbox } from './sandbox/sandbox.js'
export { exitCodes } from './terminal/exit.js'
export type { Io, Style } from './terminal/io.js'
