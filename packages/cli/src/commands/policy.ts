import { createBuyer, explainedLines, type Purse } from '@groat/client/buyer'
import { nobody } from '../config/policy-file.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { checkedNames } from './names.js'
import { loadPolicy, type PurseOptions, withPurse } from './purse.js'
import { parseTarget } from './request-options.js'
import { openWallet, type WalletOptions } from './wallet.js'

/** Options of `groat policy`. */
export type PolicyCommand = PurseOptions & WalletOptions & { readonly json?: boolean; readonly task?: string }

/** `groat policy explain URL`: what every rule says of every offer, and which one decides. Signs nothing. */
export async function explainPolicy(url: string, options: PolicyCommand, io: Io): Promise<number> {
  const target = parseTarget(url)
  const policy = await loadPolicy(options, io)
  const schemes = await openWallet(target, { ...options, dryRun: true }, io)
  return withPurse(options, io, async (purse) => {
    const buyer = createBuyer({ schemes, policy, purse, ...checkedNames() })
    const init = options.task === undefined ? {} : { metadata: { task: options.task } }
    const explanation = await buyer.explain(target, init).catch((cause: unknown) => {
      if (!(cause instanceof TypeError)) throw cause
      throw new CliError('unreachable', `${target.origin} does not answer`, undefined, { cause })
    })
    if (options.json) io.out(`${json(explanation)}\n`)
    if (explanation.status === 'free') {
      io.say(`  nothing to pay (${explanation.httpStatus})`)
      return exitCodes.ok
    }
    if (explanation.status === 'unreadable') {
      io.say(
        `  ${io.style.bad('not paid')}  the challenge cannot be read: ${plain(explanation.detail ?? explanation.code)}`,
      )
      return exitCodes.no
    }
    if (!options.json) {
      for (const line of explainedLines(explanation.offers)) io.out(`${plain(line)}\n`)
      if (policy.askAbove !== undefined) io.say(`  above ${policy.askAbove}, a person is asked first`)
    }
    return explanation.status === 'payable' ? exitCodes.ok : exitCodes.no
  })
}

/** `groat policy show`: what is spent of every budget. */
export async function showPolicy(options: PolicyCommand, io: Io): Promise<number> {
  const policy = await loadPolicy(options, io)
  return withPurse(options, io, async (purse) => {
    const buyer = createBuyer({ schemes: [nobody], policy, purse })
    const budgets = await buyer.budgets(options.task)
    if (options.json) io.out(`${JSON.stringify({ policy, budgets })}\n`)
    else if (budgets.length === 0) io.say('  no budget is set: write one into policy.yaml, such as per_day: $10')
    else
      for (const line of columns(budgets.map(({ rule, spent, limit }) => [rule, `${spent} of ${limit}`])))
        io.out(`${line}\n`)
    return exitCodes.ok
  })
}

/** `groat policy stop` and `resume`: for everybody who shares the purse. */
export async function switchPayments(
  on: boolean,
  reason: readonly string[],
  options: PurseOptions,
  io: Io,
): Promise<number> {
  return withPurse(options, io, async (purse: Purse) => {
    const buyer = createBuyer({ schemes: [nobody], purse })
    await (on ? buyer.resume() : buyer.stop(reason.length > 0 ? reason.join(' ') : undefined))
    io.say(on ? '  payments go on' : '  nothing more is signed until `groat policy resume`')
    return exitCodes.ok
  })
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? inner.toString() : inner))
}
