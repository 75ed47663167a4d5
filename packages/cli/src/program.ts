import { readFileSync } from 'node:fs'
import { type ErrorCode, X402Error } from '@groat/core'
import type { SandboxError } from '@groat/sandbox'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { addBuying } from './commands/buying-options.js'
import { addConform } from './commands/conform-options.js'
import { addFacilitator } from './commands/facilitator-options.js'
import { gathered } from './commands/request-options.js'
import { addSelling } from './commands/selling-options.js'
import { CliError, exitCodes } from './terminal/exit.js'
import type { Io } from './terminal/io.js'

// Beside `src` and `dist` alike.
const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

/**
 * Runs one command line and answers with its exit code: 0 ok, 1 the answer is no, 2 usage, 3 unreachable.
 *
 * @example
 * process.exitCode = await runCli(process.argv.slice(2), processIo())
 */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = exitCodes.ok
  const finish = (code: number) => {
    exitCode = code
  }
  try {
    await program(io, finish).parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (
      error instanceof CommanderError &&
      error.code === 'commander.unknownCommand' &&
      ofFacilitators.has(args[0] ?? '')
    )
      io.say(`  It is \`groat facilitator ${args[0]} FILE\`.`)
    const exitCode = explain(error, io)
    // Scripts tell a baseline that no longer holds, 2, from a mistake in the command line.
    return args[0] === 'conform' && exitCode === exitCodes.usage ? 64 : exitCode
  }
}

/** What is asked of a facilitator's file, and easily of `groat` itself. */
const ofFacilitators: ReadonlySet<string> = new Set(['audit', 'archive', 'webhooks', 'hide'])

// Every command is loaded when it is used: chains, kit and services take a second of a machine that only asks for --help.
function program(io: Io, finish: (exitCode: number) => void): Command {
  const groat = new Command('groat')
    .description('x402: pay for HTTP, settle payments, run everything locally')
    .version(manifest.version, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: (text) => io.say(text.trimEnd()) })
    .showHelpAfterError('(groat COMMAND --help shows what there is)')
  const command = (name: string) =>
    groat
      .command(name)
      .exitOverride()
      .configureOutput({ writeOut: io.out, writeErr: (text) => io.say(text.trimEnd()) })

  const onlyChain = new Option('--only <chain>', 'start one chain').choices(['evm', 'svm'])

  command('start')
    .description('local chains, a facilitator, a paid API, a page to look at, and one real payment on each chain')
    .option('--once', 'pay, print the receipt, stop')
    .option('--json', 'one JSON line per payment on standard output')
    .option('--port <number>', 'port of the API; facilitator and chains take the next four, 0 takes free ones', port)
    .addOption(onlyChain)
    .action(async (options) => finish(await (await import('./commands/start.js')).start(options, io)))

  command('sandbox')
    .description('local chains, a facilitator and a paid API, until you stop it')
    .option('--json', 'one JSON line on standard output when ready')
    .option('--port <number>', 'port of the API; facilitator and chains take the next four, 0 takes free ones', port)
    .option('--no-demo', 'without the paid API and its page')
    .addOption(onlyChain)
    .action(async (options) => finish(await (await import('./commands/sandbox.js')).runSandbox(options, io)))

  command('pay')
    .description('request a URL and pay for it, within limits')
    .argument('<url>')
    .option('-X, --method <method>', 'HTTP method')
    .option('-H, --header <header>', 'request header, as "Name: value"', gathered)
    .option('-d, --data <text>', 'request body, or @file with it; makes the method POST')
    .option('-o, --output <file>', 'write the answer to a file')
    .option('--max <price>', 'most to pay; below what the policy says, which is the default, or $0.10')
    .option('--policy <file>', 'spending policy in YAML; default is ~/.groat/policy.yaml where there is one')
    .option('--task <name>', 'what it is for: kept with the receipt, and counted for per_task')
    .option('--retry <times>', 'present the same payment that often again when the answer is lost; default 3')
    .option('--network <name>', 'network to pay on; the first that is named is preferred', gathered)
    .option('--scheme <name>', 'scheme to pay by, such as exact or upto; any unless told', gathered)
    .option('--field <name=value>', 'what a seller that asks may be told of you, such as country=PL', gathered)
    .option('--sign-in', 'where the seller offers it, sign in with the key first, and pay only if that opens nothing')
    .option('--v1', 'pay sellers that speak protocol version 1 only')
    .option(
      '--key-file <file>',
      'file with a private key, readable by you alone; default are the variables GROAT_EVM_KEY and GROAT_SVM_KEY',
      gathered,
    )
    .option('--svm-rpc <url>', 'Solana node to take blockhashes from; default is the variable GROAT_SVM_RPC')
    .option('--rpc <node>', 'run the payment on this node before it is signed, as base=https://…', gathered)
    .option('--signer <url>', 'remote signer in the place of keys; its token is the variable GROAT_SIGNER_TOKEN')
    .option('--session <name>', 'pay with this session key, within what its owner signed, and with no other key')
    .option('--store <file>', 'where payments are written down before they are signed; default is ~/.groat/purse.db')
    .option('--dry-run', 'send the request, body and all, without a payment; show what would be paid; sign nothing')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'one JSON line on standard output')
    .action(async (url, options) => finish(await (await import('./commands/pay.js')).pay(url, options, io)))

  addFacilitator(command('facilitator'), { version: manifest.version, io, finish })
  addBuying(command, io, finish)
  addConform(command('conform'), io, finish)

  command('doctor')
    .description('why the 402 of a URL is not understood; pays nothing')
    .argument('<url>')
    .option('--json', 'JSON lines on standard output')
    .action(async (url, options) => {
      const { doctor } = await import('./commands/doctor.js')
      finish(await doctor(url, options, io))
    })
  command('serve')
    .description('put prices before the routes of an API, without touching it')
    .argument('[file]', 'YAML configuration')
    .option('--check', 'read the configuration and stop')
    .option('--schema', 'print the JSON Schema of the configuration, for editors')
    .option('--json', 'log as JSON lines')
    .action(async (file, options) => finish(await (await import('./commands/serve.js')).runServe(file, options, io)))
  addSelling(command, io, finish)

  return groat
}

function port(text: string): number {
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (value <= 65_531) return value
  throw new InvalidArgumentError('A port is a number from 0 to 65531.')
}

/** Says what happened and what to do next, and never shows a stack to somebody who made no program. */
function explain(error: unknown, { say, style }: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  if (error instanceof CliError) {
    say(`${style.bad('groat:')} ${error.message}`)
    if (error.hint !== undefined) say(`  ${error.hint}`)
    return error.exitCode
  }
  if (isSandboxError(error)) {
    const isPort = error.code === 'port_taken'
    say(`${style.bad('groat:')} ${error.message.split('\nhint: ')[0]}`)
    say(`  ${isPort ? 'Stop what listens there, or choose another with --port: 0 takes free ones.' : error.hint}`)
    return exitCodes.unreachable
  }
  if (X402Error.is(error)) {
    say(`${style.bad('groat:')} ${error.message}`)
    if (error.context.reason === 'schema') say(`  ${OTHER_EDITION}`)
    return exitCodes[kinds[error.code] ?? 'no']
  }
  say(`${style.bad('groat:')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return exitCodes.no
}

const OTHER_EDITION =
  'Its tables are not those of this edition. Older ones are brought up to date when what keeps them starts; newer ones take a newer groat.'

/** By name: the sandbox brings two chains along, and most commands need none. */
function isSandboxError(error: unknown): error is SandboxError {
  return error instanceof Error && error.name === 'SandboxError'
}

const kinds: Partial<Record<ErrorCode, keyof typeof exitCodes>> = {
  facilitator_unreachable: 'unreachable',
  facilitator_busy: 'unreachable',
  rpc_unreachable: 'unreachable',
  seller_unreachable: 'unreachable',
  store_busy: 'unreachable',
  store_unavailable: 'unreachable',
  invalid_config: 'usage',
  invalid_network: 'usage',
  invalid_price: 'usage',
  price_too_small: 'usage',
  price_too_large: 'usage',
}
