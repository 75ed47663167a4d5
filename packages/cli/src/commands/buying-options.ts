import { type Command, Option } from 'commander'
import type { Io } from '../terminal/io.js'
import { gathered } from './request-options.js'

/** Adds what a buyer has beside `groat pay`: policy, receipts, find, wallet and signer. Each is loaded when it is used. */
export function addBuying(command: (name: string) => Command, io: Io, finish: (exitCode: number) => void): void {
  const policies = () => import('./policy.js')
  const kept = () => import('./receipts.js')
  const search = () => import('./find.js')
  const keys = () => import('./wallets.js')

  const policy = command('policy').description('what may be spent, and why something may not')
  const plainSub = (parent: Command, name: string) =>
    parent
      .command(name)
      .exitOverride()
      .configureOutput({ writeOut: io.out, writeErr: (text) => io.say(text.trimEnd()) })
  const sub = (parent: Command, name: string) =>
    plainSub(parent, name)
      .option('--store <file>', 'where payments are kept; default is ~/.groat/purse.db')
      .option('--json', 'JSON on standard output')
  sub(policy, 'explain')
    .description('ask for a URL without paying; print what every rule says, and which one decides')
    .argument('<url>')
    .option('-X, --method <method>', 'HTTP method')
    .option('-H, --header <header>', 'request header, as "Name: value"', gathered)
    .option('-d, --data <text>', 'request body, or @file with it; makes the method POST')
    .option('--max <price>', 'most to pay; below what the policy says, which is the default, or $0.10')
    .option('--policy <file>', 'spending policy in YAML; default is ~/.groat/policy.yaml where there is one')
    .option('--task <name>', 'the task whose budget is meant')
    .option('--network <name>', 'network to pay on; the first that is named is preferred', gathered)
    .option('--scheme <name>', 'scheme to pay by, such as exact or upto; any unless told', gathered)
    .option('--field <name=value>', 'what a seller that asks may be told of you, such as country=PL', gathered)
    .option('--v1', 'pay sellers that speak protocol version 1 only')
    .option('--key-file <file>', 'file with a private key', gathered)
    .option('--svm-rpc <url>', 'Solana node to take blockhashes from')
    .option('--rpc <node>', 'ask this node for the balance and run the payment on it, as base=https://…', gathered)
    .option('--signer <url>', 'remote signer in the place of keys; its token is the variable GROAT_SIGNER_TOKEN')
    .option('--session <name>', 'pay with this session key, within what its owner signed, and with no other key')
    .action(async (url, options) => finish(await (await policies()).explainPolicy(url, options, io)))
  sub(policy, 'show')
    .description('print what is spent of the budgets that hold for all sellers, and of those of categories')
    .option('--policy <file>', 'spending policy in YAML; default is ~/.groat/policy.yaml where there is one')
    .option('--task <name>', 'the task whose budget is meant')
    .option('--origin <url>', 'the budgets that a payment to this seller is counted in')
    .action(async (options) => finish(await (await policies()).showPolicy(options, io)))
  sub(policy, 'stop')
    .description('sign nothing more')
    .argument('[reason...]', 'said to whoever wants to pay')
    .action(async (reason, options) => finish(await (await policies()).switchPayments(false, reason, options, io)))
  sub(policy, 'resume')
    .description('let payments go on')
    .action(async (options) => finish(await (await policies()).switchPayments(true, [], options, io)))

  const receipts = command('receipts').description('what was paid')
  const limited = (name: string) => sub(receipts, name).option('--limit <number>', 'how many, the newest first')
  limited('list')
    .description('one line for each payment')
    .option('--task <name>', 'those of one task')
    .action(async (options) => finish(await (await kept()).listReceipts(options, io)))
  limited('show')
    .description('everything that is kept of one payment')
    .argument('<id>', 'the beginning of its id')
    .action(async (id, options) => finish(await (await kept()).showReceipt(id, options, io)))
  const back = () => import('./ask-back.js')
  limited('refund')
    .description('ask the seller for the money of a payment, where it takes such wishes (groat-refund)')
    .argument('<id>', 'the beginning of its id')
    .addOption(
      new Option('--reason <why>', 'why it is asked back')
        .choices([
          ...['service_not_delivered', 'service_defective', 'duplicate_payment'],
          ...['overcharge', 'customer_request', 'other'],
        ])
        .makeOptionMandatory(),
    )
    .option('--amount <price>', 'how much; all of it unless told')
    .option(
      '--key-file <file>',
      'file with the key that paid; default are the variables, then the wallets at home',
      gathered,
    )
    .action(async (id, options) => finish(await (await back()).askBack(id, options, io)))
  limited('verify')
    .description('check receipts without a network: those of a file, or your own')
    .argument('[file]', 'JSON lines of `groat receipts export`')
    .option('--rpc <node>', 'ask this chain about your own payments first, as base=https://…', gathered)
    .option('--signed', 'refuse what no exporter has signed')
    .option('--by <account>', 'exporter to believe, beside the payer itself', gathered)
    .option('--trust <account>', 'account of a seller to believe, whatever it signs for', gathered)
    .option('--seller-keys', 'ask the sites of sellers for the keys that they publish')
    .action(async (file, options) => finish(await (await kept()).verifyReceipts(file, options, io)))
  limited('export')
    .description('JSON lines that others can verify, signed by the payer')
    .option('--task <name>', 'those of one task')
    .option(
      '--key-file <file>',
      'file with a private key to sign with; default are the variables, then the wallets at home',
      gathered,
    )
    .action(async (options) => finish(await (await kept()).exportReceipts(options, io)))

  const channels = command('channels').description('money that is put aside for sellers, and how it comes back')
  const locked = () => import('./channels.js')
  const keyed = (name: string) =>
    sub(channels, name)
      .option('--key-file <file>', 'file with a private key; default is the variable GROAT_EVM_KEY', gathered)
      .option('--amount <price>', 'how much; all that is left unless told')
  sub(channels, 'list')
    .description('what is spent of every channel, and what is left')
    .option('--rpc <node>', 'node to ask what is locked, as base=https://…, once for each network', gathered)
    .action(async (options) => finish(await (await locked()).listChannels(options, io)))
  keyed('refund')
    .description('ask a seller for what was not spent')
    .argument('<url>', 'anything that is paid out of the channel')
    .action(async (url, options) => finish(await (await locked()).refundFrom(url, options, io)))
  keyed('withdraw')
    .description('take money out without the seller: once to begin, and once more when the withdraw delay is over')
    .argument('<channel>', 'the beginning of its id')
    .option('--rpc <node>', 'node to send through, as base=https://…', gathered)
    .action(async (id, options) => finish(await (await locked()).withdrawFrom(id, options, io)))

  command('find')
    .description('look for paid services, the cheapest first')
    .argument('[words...]', 'words that stand in the URL or the description')
    .option('--max <price>', 'most that a call may cost')
    .option('--catalogue <url>', 'facilitator with a catalogue; default is the variable GROAT_CATALOGUE', gathered)
    .option('--site <url>', 'site that may describe itself', gathered)
    .option('--probe', 'ask each service what it costs now, and how long that takes; sign nothing')
    .option('--json', 'one JSON line for each service on standard output')
    .action(async (words, options) => finish(await (await search()).find(words, options, io)))

  command('mcp')
    .description('an MCP server on standard input and output: an agent finds, quotes and pays within your policy')
    .option('--policy <file>', 'spending policy in YAML; default is ~/.groat/policy.yaml where there is one')
    .option('--max <price>', 'most that one payment may take; default is what the policy says, or $0.10')
    .option('--task <name>', 'what it is for: counted for per_task, and no other task is paid for')
    .option('--catalogue <url>', 'facilitator with a catalogue; default is the variable GROAT_CATALOGUE', gathered)
    .option('--site <url>', 'site that may describe itself', gathered)
    .option(
      '--key-file <file>',
      'file with a private key; default are the variables, then the wallets at home',
      gathered,
    )
    .option('--svm-rpc <url>', 'Solana node to take blockhashes from; default is the variable GROAT_SVM_RPC')
    .option('--signer <url>', 'remote signer in the place of keys; its token is the variable GROAT_SIGNER_TOKEN')
    .option('--store <file>', 'where payments are kept; default is ~/.groat/purse.db')
    .action(async (options) => finish(await (await import('./mcp.js')).runMcp(options, io)))

  command('listed')
    .description('whether a catalogue lists a service, and if not, why')
    .argument('<url>', 'the service')
    .option('--catalogue <url>', 'facilitator with a catalogue; default is the variable GROAT_CATALOGUE')
    .option('--method <method>', 'its HTTP method')
    .option('--tool <name>', 'the tool of an MCP server')
    .option('--json', 'one JSON line on standard output')
    .action(async (url, options) => finish(await (await import('./listed.js')).listed(url, options, io)))

  const signer = command('signer')
    .description('hold the keys, and sign within limits for whoever shows the token in GROAT_SIGNER_TOKEN')
    .option('--policy <file>', 'what may be signed, in YAML: the words of a spending policy that look at no seller')
    .option(
      '--key-file <file>',
      'file with a private key; default are the variables, then the wallets at home',
      gathered,
    )
    .option('--store <file>', 'where what is signed is booked; default is ~/.groat/signer.db')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--port <number>', 'port; 0 takes a free one', '4410')
    .option('--svm-network <name>', 'the Solana cluster that is signed for', 'solana')
    .action(async (options) => finish(await (await import('./signer.js')).runSigner(options, io)))
  const delegation = (name: 'delegate' | 'undelegate', description: string) =>
    plainSub(signer, name)
      .description(description)
      .requiredOption('--network <name>', 'the network, such as base')
      .requiredOption('--rpc <url>', 'node to send through')
      .option('--key-file <file...>', "file with the signer's private key; default is the variable GROAT_EVM_KEY")
      .option('--delegate <address>', 'where the batch stands; default is where its code stands on every chain')
      .option('--json', 'one JSON line on standard output')
      .action(async (_, made: Command) =>
        // The option --key-file is also one of the command above, which takes it first.
        finish(await (await import('./delegation.js')).runDelegation(name, made.optsWithGlobals(), io)),
      )
  delegation('delegate', 'let a signer of a facilitator send what only it may send in groups (EIP-7702)').option(
    '--deploy',
    'deploy the batch first where nobody has',
  )
  delegation('undelegate', 'take that back')

  const wallet = command('wallet').description('keys that are kept encrypted, by the password in GROAT_PASSWORD')
  const ofWallet = (name: string) => plainSub(wallet, name).option('--json', 'JSON on standard output')
  const chain = new Option('--chain <family>', 'which kind of key').choices(['evm', 'svm'])
  ofWallet('new')
    .description('make a key; print its address')
    .addOption(chain)
    .action(async (options) => finish(await (await keys()).newWallet(options, io)))
  ofWallet('import')
    .description('encrypt a key that stands in a file, in GROAT_EVM_KEY or in GROAT_SVM_KEY')
    .addOption(chain)
    .option('--key-file <file>', 'file with the private key')
    .action(async (options) => finish(await (await keys()).importWallet(options, io)))
  ofWallet('balance')
    .description('what the wallets have')
    .option('--rpc <node>', 'node to ask, as base=https://…, once for each network', gathered)
    .action(async (options) => finish(await (await keys()).walletBalance(options, io)))
  ofWallet('fund')
    .description('money of a sandbox for the wallets')
    .argument('[url]', 'API of the sandbox', 'http://127.0.0.1:4402')
    .option('--amount <price>', 'how much', '$1')
    .action(async (url, options) => finish(await (await keys()).fundWallet(url, options, io)))

  ofWallet('approve')
    .description(
      'let Permit2 take so much of a token once, for payments that go through it; the account pays for the gas',
    )
    .requiredOption('--network <name>', 'network of the token')
    .requiredOption('--amount <price>', 'how much in all, as $5; `unlimited`, or 0 to take it back')
    .option('--token <token>', 'ticker or address', 'USD')
    .option('--rpc <node>', 'node to send through, as base=https://…', gathered)
    .option('--key-file <file>', 'the owner’s key; default are the variables, then the wallets at home', gathered)
    .option('--policy <file>', 'spending policy in YAML; default is ~/.groat/policy.yaml where there is one')
    .option('--yes', 'approve without asking')
    .action(async (options) => finish(await (await import('./approve.js')).approve(options, io)))

  const session = plainSub(wallet, 'session').description(
    'keys that may spend so much of an account, held to it on chain (ERC-7710)',
  )
  const ofSession = (name: string) => plainSub(session, name).option('--json', 'JSON on standard output')
  const granted = () => import('./sessions.js')
  ofSession('new')
    .description('have the owner sign once what a new key may spend; print its address')
    .argument('<name>', 'what to call it')
    .requiredOption('--network <name>', 'network of the account')
    .requiredOption('--contracts <file>', 'JSON with the delegation manager that the account obeys, and its enforcers')
    .requiredOption('--total <price>', 'most that it may spend in all')
    .option('--per-payment <price>', 'most of one payment; default is what the policy says')
    .option('--per-day <price>', 'most within a day from now, and each day after; default is what the policy says')
    .option('--pay-to <address>', 'whom it may pay; default is what the policy says, or anybody', gathered)
    .option('--lasts <duration>', 'as 30m, 12h or 7d', '1d')
    .option('--token <symbol>', 'which token; the first of the network unless told')
    .option('--delegator <address>', 'a contract wallet of the owner; the account of the key unless told')
    .option('--key-file <file>', 'the owner’s key; default are the variables, then the wallets at home', gathered)
    .option('--policy <file>', 'spending policy in YAML; default is ~/.groat/policy.yaml where there is one')
    .action(async (name, options) => finish(await (await granted()).newSession(name, options, io)))
  const obeying = (name: 'enable' | 'disable', description: string) =>
    ofSession(name)
      .description(description)
      .requiredOption('--network <name>', 'network of the account')
      .requiredOption('--contracts <file>', 'JSON with the `manager`, and with the code that obeys it as `account`')
      .option('--rpc <node>', 'node to send through, as base=https://…', gathered)
      .option('--key-file <file>', 'the owner’s key; default are the variables, then the wallets at home', gathered)
      .action(async (options) => finish(await (await granted()).changeObedience(name, options, io)))
  obeying('enable', 'let the owner’s account obey a delegation manager (EIP-7702); it pays for the gas')
  obeying('disable', 'take that back: no session of the account pays any more')
  ofSession('list')
    .description('what session keys may spend, and with --rpc what they have spent')
    .option('--rpc <node>', 'node to ask, as base=https://…, once for each network', gathered)
    .action(async (options) => finish(await (await granted()).listSessions(options, io)))
  ofSession('revoke')
    .description('end a session on chain; the owner’s account pays for the gas')
    .argument('<name>', 'which one')
    .option('--rpc <node>', 'node to send through, as base=https://…', gathered)
    .option('--key-file <file>', 'the owner’s key; default are the variables, then the wallets at home', gathered)
    .action(async (name, options) => finish(await (await granted()).revokeSession(name, options, io)))
}
