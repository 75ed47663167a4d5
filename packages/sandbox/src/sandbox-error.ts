const hints = {
  anvil_missing:
    'Install again with optional dependencies (anvil comes as @foundry-rs/anvil-<platform>), or pass `anvilPath`.',
  svm_missing:
    'Install again with optional dependencies (the runtime comes as litesvm-<platform>: Linux and macOS, x64 and arm64).',
  port_taken: 'Stop what listens there, pass another port, or leave `port` out to get a free one.',
  chain_not_ready: 'The cause says what the node wrote. On a busy machine raise `readyTimeoutMs`.',
  chain_unreachable: 'Is the chain still running, and is the RPC URL right?',
  wrong_chain:
    'Start the node as the sandbox expects it: an EVM with its chain id (`--chain-id 84532`, or pass `chainId`), a Solana ' +
    'validator with the files of `writeSvmGenesis`.',
  cheat_missing:
    'Let the sandbox start the chain itself (leave `rpcUrl` out), or use a node with the same levers: for the EVM one with ' +
    'the `anvil_*` and `evm_*` methods.',
  rpc_refused: 'The cause carries what the node answered.',
} as const

/** The stable codes of {@link SandboxError}. */
export type SandboxErrorCode = keyof typeof hints

/**
 * What went wrong with a local chain or proxy, and what to do about it.
 *
 * @example
 * ```ts
 * try {
 *   await startEvmChain({ port: 8545 })
 * } catch (error) {
 *   if (SandboxError.is(error) && error.code === 'port_taken') console.error(error.hint)
 * }
 * ```
 */
export class SandboxError extends Error {
  override readonly name = 'SandboxError'
  readonly code: SandboxErrorCode
  /** What to do now, in a sentence. */
  readonly hint: string

  constructor(code: SandboxErrorCode, summary: string, options?: ErrorOptions) {
    super(`${summary}\nhint: ${hints[code]}`, options)
    this.code = code
    this.hint = hints[code]
  }

  /** Whether `error` is a SandboxError, also when it comes from another copy of this package. */
  static is(error: unknown): error is SandboxError {
    return error instanceof Error && error.name === 'SandboxError' && 'code' in error
  }
}
