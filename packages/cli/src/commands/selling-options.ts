import type { Command } from 'commander'
import type { Io } from '../terminal/io.js'
import { gathered } from './request-options.js'

/** Adds what a seller has beside `groat serve`: the books, refunds, and what is held in escrow. */
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
      .option('--kind <kind>', 'payment, fee, usage, refund', gathered)
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
    .option('--rpc <node>', 'node to ask, as base=https://…, besides those of the file', gathered)
    .option('--json', 'one JSON line')
    .action(async (file, options) => finish(await (await books()).reconcileLedger(file, options, io)))

  command('describe')
    .description('write what describes a shop: OpenAPI, x402 manifest, agent card, llms.txt')
    .argument('<file>', 'YAML configuration of the shop')
    .option('--out <folder>', 'where to; without, one JSON object on standard output')
    .action(async (file, options) => finish(await (await import('./describe.js')).describe(file, options, io)))

  /** What is asked of a running shop. */
  const ofShop = (parent: Command) => (name: string) =>
    parent
      .command(name)
      .exitOverride()
      .configureOutput({ writeOut: io.out, writeErr: (text) => io.say(text.trimEnd()) })
      .option('--admin <url>', 'admin listener of the shop', 'http://127.0.0.1:8403')
      .option('--json', 'JSON on standard output')

  const refunds = () => import('./refund.js')
  const refund = command('refund').description(
    'give payments back, through the admin listener of a shop; you are who GROAT_ADMIN_TOKEN says',
  )
  const ofRefund = ofShop(refund)
  ofRefund('ask')
    .description('ask for a refund')
    .argument('<payment>', 'its id, as `groat ledger export` has it')
    .requiredOption('--reason <text>', 'why')
    .option('--amount <tokens>', 'a part of it, such as 0.0005; all that is left unless told')
    .option('--part <name>', 'names a part, where a payment is given back in several: each name is heard once')
    .action(async (payment, options) => finish(await (await refunds()).askRefund(payment, options, io)))
  for (const verb of ['approve', 'reject'] as const) {
    ofRefund(verb)
      .description(verb === 'approve' ? 'agree to a refund that somebody else asked for' : 'refuse a refund that waits')
      .argument('<refund>', 'its id, as `groat refund list` has it')
      .action(async (payment, options) => finish(await (await refunds()).decideRefund(verb, payment, options, io)))
  }
  ofRefund('list')
    .description('refunds, the newest first')
    .action(async (options) => finish(await (await refunds()).listRefunds(options, io)))

  const holds = () => import('./captures.js')
  const captures = command('captures').description(
    'money of payers that is held in escrow, through the admin listener of a shop; you are who GROAT_ADMIN_TOKEN says',
  )
  const ofCaptures = ofShop(captures)
  ofCaptures('list')
    .description('what is held, the hold that ends first foremost')
    .action(async (options) => finish(await (await holds()).listCaptures(options, io)))
  const verbs = {
    capture: 'have a hold paid out, all of it or a part',
    void: 'let go of what is left of a hold',
    refund: 'give back what was paid out, where the facilitator has agreed to pay for it',
  } as const
  for (const verb of ['capture', 'void', 'refund'] as const) {
    const one = ofCaptures(verb)
      .description(verbs[verb])
      .argument('<payment>', 'its id, as `groat captures list` has it')
    if (verb !== 'void') one.option('--amount <tokens>', 'a part of it, such as 0.0005; all of it unless told')
    one.action(async (payment, options) => finish(await (await holds()).actOnCapture(verb, payment, options, io)))
  }

  const claiming = () => import('./claims.js')
  const claims = command('claims').description(
    'what channels of payers owe, through the admin listener of a shop; you are who GROAT_ADMIN_TOKEN says',
  )
  const ofClaims = ofShop(claims)
  ofClaims('list')
    .description('what every channel owes, has been charged and holds')
    .action(async (options) => finish(await (await claiming()).listClaims(options, io)))
  ofClaims('run')
    .description('claim all of it now, and have it sent to the account that is paid')
    .action(async (options) => finish(await (await claiming()).runClaims(options, io)))
  ofClaims('refund')
    .description('give the payer of a channel back what it has not spent')
    .argument('<channel>', 'the beginning of its id, as `groat claims list` has it')
    .option('--amount <tokens>', 'a part of it, such as 0.0005; all of it unless told')
    .action(async (channel, options) => finish(await (await claiming()).refundChannel(channel, options, io)))
}
