import { createBuyer, type ExplainedOffer, explainedLines, type Purse } from '@groat/client/buyer'
import { payerFields } from '@groat/extensions/compliance/client'
import { parseFields } from '../config/payer-fields.js'
import { nobody, ruleInFile } from '../config/policy-file.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import { columns, type Io, plain } from '../terminal/io.js'
import { checkedNames } from './names.js'
import { limitedTo, type PayCommand } from './pay.js'
import { loadPolicy, loadPolicyWords, type PurseOptions, withPurse } from './purse.js'
import { GIVE_FIELDS } from './refusal.js'
import { parseTarget, requestInit } from './request-options.js'
import { ownNodes } from './simulator.js'
import { openWallet } from './wallet.js'

/** Options of `groat policy explain`: those of `groat pay` that have a say in whether and what is paid. */
export type ExplainCommand = Omit<PayCommand, 'output' | 'retry' | 'dryRun' | 'yes'>

/** `groat policy explain URL`: what every rule says of every offer, and which one decides. Signs nothing. */
export async function explainPolicy(url: string, options: ExplainCommand, io: Io): Promise<number> {
  const target = parseTarget(url)
  const request = await requestInit(target, options)
  const { policy: own, fields } = await loadPolicyWords(options, io)
  const policy = limitedTo(options, own)
  const extensions = [payerFields(parseFields(options.field, fields))]
  return withPurse(options, io, async (purse, channels) => {
    const schemes = await openWallet(target, { ...options, channels, purse, dryRun: true }, io)
    const nodes = await ownNodes(target, { ...options, dryRun: true })
    const buyer = createBuyer({ schemes, policy, purse, extensions, ...nodes, ...checkedNames() })
    const init = options.task === undefined ? request : { ...request, metadata: { task: options.task } }
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
      for (const line of explainedLines(explanation.offers.map(inFileWords))) io.out(`${plain(line)}\n`)
      const isLacking = explanation.offers.some(({ decidedBy }) => decidedBy === 'groat-compliance')
      if (isLacking) io.say(`  ${GIVE_FIELDS}`)
      if (policy.askAbove !== undefined) io.say(`  above ${policy.askAbove}, a person is asked first`)
    }
    return explanation.status === 'payable' ? exitCodes.ok : exitCodes.no
  })
}

/** People read here what they have written there; programs get the names of the code. */
function inFileWords(offer: ExplainedOffer): ExplainedOffer {
  const verdicts = offer.verdicts.map((verdict) => ({ ...verdict, rule: ruleInFile(verdict.rule) }))
  return { ...offer, decidedBy: ruleInFile(offer.decidedBy), verdicts }
}

/** Options of `groat policy show`. */
export type ShowCommand = PurseOptions & { readonly json?: boolean; readonly task?: string; readonly origin?: string }

/** `groat policy show`: what is spent of the budgets of all, of the categories, and of a seller that is named. */
export async function showPolicy(options: ShowCommand, io: Io): Promise<number> {
  const origin = options.origin === undefined ? undefined : parseTarget(options.origin).origin
  const policy = await loadPolicy(options, io)
  return withPurse(options, io, async (purse) => {
    const buyer = createBuyer({ schemes: [nobody], policy, purse })
    const budgets = await buyer.budgets(options.task, origin)
    if (options.json) io.out(`${JSON.stringify({ policy, budgets })}\n`)
    else if (budgets.length === 0) io.say('  no budget is set: write one into policy.yaml, such as per_day: $10')
    else
      for (const line of columns(budgets.map(({ rule, spent, limit }) => [ruleInFile(rule), `${spent} of ${limit}`])))
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
