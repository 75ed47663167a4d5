import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Io } from '../terminal/io.js'
import type { ConformCommand } from './conform.js'

/** Adds `groat conform` and what is below it. The kit is loaded when it is used: it is large, and most people pay. */
export function addConform(conform: Command, io: Io, finish: (exitCode: number) => void): void {
  const kit = () => import('./conform.js')
  conform
    .description('test a facilitator, a server or a client against the specification, on local chains')
    .option('--facilitator <url>', 'a facilitator that runs')
    .option('--server <url>', 'a paid URL that runs; what needs its facilitator cannot be tested this way')
    .option('--target <file>', 'what to test, as x402-target.json says it')
    .addOption(
      new Option('--role <role...>', 'of a target with several roles').choices([
        'facilitator',
        'server',
        'client',
        'library',
      ]),
    )
    .option('--report <folder>', 'write results.ndjson, junit.xml, report.html, badge.json, matrix.md, coverage.json')
    .addOption(
      new Option('--profile <name>', 'hardening is core and more').choices(['core', 'hardening']).default('core'),
    )
    .option('--seed <number>', 'root of all that is drawn', integer, 1)
    .option('--runs <number>', 'tries of each property', integer, 100)
    .option('--only <check...>', 'ids of requirements or checks, or beginnings with a star: FAC-031 EVM-*')
    .addOption(new Option('--chain <family...>', 'families of chains').choices(['evm', 'svm']))
    .option('--evm-rpc <url>', 'node on which a running facilitator settles; default is the variable GROAT_EVM_RPC_URL')
    .option('--svm-rpc <url>', 'the same for Solana; default is the variable GROAT_SVM_RPC_URL')
    .option('--baseline <file>', 'failures that are known')
    .option('--regressions <folder>', 'counterexamples of earlier runs: tried first, and new ones are written there')
    .option('--strict', 'a SHOULD that is not met fails')
    .option('--verbose', 'what went over the wire, for every check that is red')
    .option('--json', 'results as JSON lines on standard output')
    .action(async (options: ConformCommand) => finish(await (await kit()).runConform(options, io)))

  const sub = (name: string) =>
    conform
      .command(name)
      .exitOverride()
      .configureOutput({ writeOut: io.out, writeErr: (text) => io.say(text.trimEnd()) })
  // The options of the command above are its too, wherever they stand.
  sub('run')
    .description('the same as without a word')
    .action(async (_, command: Command) => finish(await (await kit()).runConform(command.optsWithGlobals(), io)))
  sub('list')
    .description('the checks there are')
    .action(async (_, command: Command) => finish((await kit()).listChecks(command.optsWithGlobals(), io)))
  sub('explain')
    .description('a requirement: its text, its basis, what a violation means, how it is tested')
    .argument('<id>')
    .action(async (id: string) => finish((await kit()).explainRequirement(id, io)))
  sub('replay')
    .description('run one check again as it was: the token of a report')
    .argument('<token>')
    .action(async (token: string, _, command: Command) =>
      finish(await (await kit()).replay(token, command.optsWithGlobals(), io)),
    )
  sub('baseline')
    .description('write: take what is red for known; check: hold a report against it')
    .argument('<action>', 'write or check')
    .argument('<file>')
    .option('--classes', 'write how many are red in each area, and not which: for what is published')
    .action(async (action: string, file: string, _, command: Command) =>
      finish(await (await kit()).baseline(action, file, command.optsWithGlobals(), io)),
    )
  sub('report')
    .description('render reports of one or more runs into one page')
    .requiredOption('--in <folder>', 'a report, or a folder of reports')
    .requiredOption('--html <file>', 'the page')
    .option('--markdown <file>', 'the matrix for a README')
    .action(async (options: { in: string; html: string; markdown?: string }) =>
      finish(await (await kit()).report(options, io)),
    )
}

function integer(text: string): number {
  if (/^-?\d{1,10}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('A whole number is needed.')
}
