import { join } from 'node:path'
import { createSigner, signerHandler } from '@groat/client/signer'
import { network } from '@groat/core'
import { evmSigner } from '@groat/evm/signer'
import { svmSigner } from '@groat/svm/signer'
import { readPolicy } from '../config/policy-file.js'
import { serveOn } from '../sandbox/serve.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { homeOf, type PurseOptions, withPurse } from './purse.js'
import { accountOf, readKeys } from './wallet.js'

/** Options of `groat signer`. */
export type SignerCommand = PurseOptions & {
  readonly keyFile?: readonly string[]
  readonly host: string
  readonly port: string
  readonly svmNetwork: string
}

/** `groat signer`: holds keys and signs payments within its own limits until it is told to stop. Prints one JSON line when it serves. */
export async function runSigner(options: SignerCommand, io: Io): Promise<number> {
  const { environment } = io
  const token = environment.GROAT_SIGNER_TOKEN
  if (token === undefined) throw new CliError('usage', 'No token to let anybody in', 'Set GROAT_SIGNER_TOKEN.')
  if (!/^[0-9]{1,5}$/.test(options.port)) throw new CliError('usage', `${options.port} is not a port`)
  const keys = await readKeys({ ...(options.keyFile && { keyFile: options.keyFile }) }, environment)
  if (keys.length === 0) {
    throw new CliError(
      'usage',
      'No key to sign with',
      'Set GROAT_EVM_KEY or GROAT_SVM_KEY, or name a file with --key-file.',
    )
  }
  const halves = keys.flatMap((key) => {
    const { evm, svm } = accountOf(key)
    if (evm !== undefined) return [evmSigner({ account: evm })]
    return svm === undefined ? [] : [svmSigner({ account: svm, network: network(options.svmNetwork) })]
  })
  // The policy of the buyer at home is for the buyer: a signer's limits are named, or they are the least there is.
  const policy = options.policy === undefined ? {} : await readPolicy(options.policy, environment)
  const store = options.store ?? join(homeOf(io), 'signer.db')
  return withPurse({ store }, io, async (purse) => {
    const signer = createSigner({ halves, policy, purse })
    const handle = signerHandler(signer, { tokens: [token] })
    const served = await serveOn(handle, { host: options.host, port: Number(options.port) })
    io.out(`${JSON.stringify({ ready: { url: served.url, accounts: signer.accounts } })}\n`)
    await io.stopped
    await served.close()
    return exitCodes.ok
  })
}
