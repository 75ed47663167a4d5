import { network } from '@groat/core'
import { createEvmChain, type KeyAccount } from '@groat/evm/chain'
import { delegateSigner, deploySelfBatch, SELF_BATCH, undelegateSigner } from '@groat/evm/self-batch'
import { CliError, exitCodes } from '../terminal/exit.js'
import { type Io, plain } from '../terminal/io.js'
import { nodesOf } from './chains.js'
import { accountOf, readKeys } from './wallet.js'

/** Options of `groat signer delegate` and `groat signer undelegate`. */
export type DelegationCommand = {
  readonly network: string
  readonly rpc: string
  readonly keyFile?: readonly string[]
  readonly delegate?: string
  readonly deploy?: boolean
  readonly json?: boolean
}

/** `groat signer delegate`: makes a facilitator's signer run the batch (EIP-7702). `undelegate` takes it back. Exits 1 where that is refused. */
export async function runDelegation(
  wish: 'delegate' | 'undelegate',
  { json = false, deploy = false, ...options }: DelegationCommand,
  io: Io,
): Promise<number> {
  const id = network(options.network)
  const rpc = nodesOf([id], [options.rpc]).get(id)
  const { delegate = SELF_BATCH } = options
  if (!/^0x[0-9a-fA-F]{40}$/.test(delegate)) throw new CliError('usage', `${delegate} is not an address`)
  if (rpc === undefined) throw new CliError('usage', 'No node to send through', 'Name one with --rpc, as https://…')
  const account = await signerOf(options, io)
  const chain = await createEvmChain({ network: id, rpc, signers: [account], assets: [] })
  const deployed = deploy ? await deploySelfBatch(chain) : undefined
  const change = wish === 'delegate' ? delegateSigner : undelegateSigner
  const done = deployed?.ok === false ? deployed : await change(chain, account, { delegate })
  const [signer] = chain.signers
  if (json) io.out(`${JSON.stringify({ signer, delegate, ...done })}\n`)
  else if (!done.ok) io.say(plain(`${io.style.bad('refused:')} ${done.detail ?? done.code}`))
  else {
    const state = wish === 'delegate' ? `runs the batch at ${delegate}` : 'runs no code'
    io.out(`${signer} ${state}${done.transaction === undefined ? ' already' : ` since ${done.transaction}`}\n`)
  }
  return done.ok ? exitCodes.ok : exitCodes.no
}

async function signerOf({ keyFile }: Pick<DelegationCommand, 'keyFile'>, io: Io): Promise<KeyAccount> {
  const keys = await readKeys({ ...(keyFile && { keyFile }) }, io.environment)
  const [account, ...others] = keys.flatMap((key) => accountOf(key).evm ?? [])
  if (account !== undefined && others.length === 0) return account
  throw new CliError('usage', 'Which key is the signer’s?', 'Set GROAT_EVM_KEY, or name one file with --key-file.')
}
