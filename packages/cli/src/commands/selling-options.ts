import type { Command } from 'commander'
import type { Io } from '../terminal/io.js'

/** Adds what a seller has beside `groat serve`: the books. */
export function addSelling(command: (name: string) => Command, io: Io, finish: (exitCode: number) => void): void {
  const books = () => import('./ledger.js')
  const ledger = command('ledger').description('the books of a seller')
  const sub = (name: string) =>
    ledger
      .command(name)
      .exitOverride()
      .configureOutput({ writeOut: io.out, writeErr: (text) => io.say(text.trimEnd()) })
      .argument('[file]', 'YAML configuration of the shop')
      .option('--store <database>', 'the shop’s database, where there is no file')
      .option('--group <name>', 'entries of one group')
      .option('--route <name>', 'entries of one route, such as "GET /weather"')
      .option('--payer <account>', 'entries of one payer')
      .option('--kind <kind...>', 'payment, fee, usage, refund')
      .option('--since <time>', 'from this time on, as 2026-01-31 or 2026-01-31T12:00:00Z')
      .option('--until <time>', 'before this time')
  sub('list')
    .description('entries, the newest first')
    .option('--limit <number>', 'how many')
    .option('--json', 'JSON lines')
    .action(async (file, options) => finish(await (await books()).listLedger(file, options, io)))
  sub('export')
    .description('all entries, the oldest first: JSON lines, or CSV')
    .option('--csv', 'CSV with a head')
    .action(async (file, options) => finish(await (await books()).exportLedger(file, options, io)))
  sub('reconcile')
    .description('compare with the chains to the atomic unit; exits 1 where they differ')
    .option('--rpc <node...>', 'node to ask, as base=https://…, besides those of the file')
    .option('--json', 'one JSON line')
    .action(async (file, options) => finish(await (await books()).reconcileLedger(file, options, io)))
}
