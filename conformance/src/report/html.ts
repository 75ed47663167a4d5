import type { Status } from '../model/result.js'
import { requirements } from '../spec/requirements.js'
import { areaOf } from './junit.js'
import { script, style } from './page.js'
import type { RunRecord } from './read.js'
import { scoreOf } from './summary.js'

/**
 * One file for the browser: requirements down, targets across, and behind every cell what went over the wire and what the
 * chain says. It loads nothing.
 */
export function renderHtml(runs: readonly RunRecord[]): string {
  const columns = runs.flatMap((run, at) => {
    const families = [...new Set(run.results.map(({ check }) => familyOf(check)))].sort()
    return families.map((family) => ({
      run: at,
      family,
      name: run.header.target.name,
      version: run.header.target.version ?? '',
    }))
  })
  const used = new Set(runs.flatMap(({ results }) => results.map(({ requirement }) => requirement)))
  const texts = Object.fromEntries(
    [...used].map((id) => {
      const found = requirements.get(id)
      return [id, { text: found?.text ?? '', basis: found?.basis ?? '', source: found?.source ?? '' }]
    }),
  )
  const data = {
    columns,
    texts,
    runs: runs.map(({ header, results }) => ({ header, results })),
    areas: [...new Set([...used].map(areaOf))].sort(),
    titles,
  }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>x402 conformance</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>x402 conformance</h1>
${runs.map(renderScore).join('\n')}
</header>
<nav aria-label="Filter">
<label>Show <select id="status"><option value="">everything</option><option value="red">what is red</option><option value="warn">red and warnings</option></select></label>
<label>Profile <select id="profile"><option value="">all</option><option>core</option><option>hardening</option></select></label>
<label>Find <input id="find" type="search" placeholder="FAC-031, signature…"></label>
<span class="legend"><b class="c pass">✓</b> pass <b class="c warn">!</b> warning <b class="c fail">✗</b> fail <b class="c untestable">?</b> untestable <b class="c not-applicable">–</b> does not apply</span>
</nav>
<main id="matrix"></main>
<dialog id="detail"><form method="dialog"><button aria-label="Close">✕</button></form><div id="body"></div></dialog>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${script}</script>
</body>
</html>
`
}

function renderScore({ header, results, summary }: RunRecord): string {
  const core = scoreOf(results, 'core')
  const hard = scoreOf(results, 'hardening')
  const score = (name: string, { passed, of }: { passed: number; of: number }) =>
    of === 0 ? '' : `<span class="score ${passed === of ? 'pass' : 'fail'}"><b>${passed}</b> of ${of} ${name}</span>`
  const { name, version = '', language = '' } = header.target
  const facts = [
    `suite ${header.suite}`,
    `specification ${header.specification}`,
    `seed ${header.seed}`,
    `${header.runs} runs`,
    ...(summary === undefined ? ['not finished'] : [`${(summary.ms / 1000).toFixed(1)} s`]),
    header.at,
  ]
  return `<section><h2>${encodeText(`${name} ${version}`)} <small>${encodeText(language)}</small></h2>${score('core', core)}${score('hardening', hard)}${renderBar(results)}<p>${encodeText(facts.join(' · '))}</p></section>`
}

/** How the results are divided, as one bar. */
function renderBar(results: RunRecord['results']): string {
  const count = (of: readonly Status[]) => results.filter(({ status }) => of.includes(status)).length
  const parts = [
    ['pass', count(['pass'])],
    ['warn', count(['warn'])],
    ['fail', count(['fail', 'harness-error'])],
    ['untestable', count(['untestable'])],
    ['not-applicable', count(['not-applicable'])],
  ] as const
  const shown = parts.filter(([, part]) => part > 0)
  const label = shown.map(([name, part]) => `${part} ${name}`).join(', ')
  const bars = shown.map(([name, part]) => `<i class="${name}" style="flex:${part}"></i>`).join('')
  return `<div class="bar" role="img" aria-label="${label}" title="${label}">${bars}</div>`
}

/** What the areas of the specification are about. */
const titles: Readonly<Record<string, string>> = {
  CORE: 'messages, money, networks, identity',
  HTTP: 'headers, encoding, statuses',
  SRV: 'the resource server',
  CLI: 'the client',
  FAC: 'the API of a facilitator, and what it does with money',
  ERR: 'codes and problems',
  SEC: 'duties of all',
  'EVM-EXACT': 'exact on EVM chains',
  'EVM-UPTO': 'upto on EVM chains',
  'EVM-BATCH': 'batch-settlement on EVM chains',
  'EVM-CAPTURE': 'auth-capture on EVM chains',
  'SVM-EXACT': 'exact on Solana',
  'SVM-UPTO': 'upto on Solana',
  'GAS-PERMIT': 'gas sponsoring by permits',
  'GAS-APPROVAL': 'gas sponsoring by approvals',
  EXT: 'extensions, whatever their name',
  'EXT-ID': 'names of payments',
  'EXT-SIGN': 'accounts that sign in',
  'EXT-OFFER': 'signed offers and receipts',
  'EXT-CODE': 'codes of those who had a part',
  'EXT-BIND': 'payments that are bound to requests',
  'EXT-COMPLY': 'what payers say of themselves',
  'EXT-REFUND': 'money that is asked back',
  BAZAAR: 'how things are called, and catalogues',
  DESC: 'what an origin publishes about itself',
  MCP: 'paid tools and resources',
  A2A: 'agents that are paid for',
}

const familyOf = (check: string) => /\/(evm|svm)$/.exec(check)?.[1] ?? ''

const encodeText = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
