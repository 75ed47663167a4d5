// The operator's page: asks every two seconds how the facilitator stands, and shows it. It changes nothing.
const byId = (id) => document.getElementById(id)
const element = (name, className, ...children) => {
  const node = document.createElement(name)
  if (className) node.className = className
  node.append(...children)
  return node
}
const cell = (content, className) => element('td', className, content)
const short = (text) => (text.length > 18 ? `${text.slice(0, 10)}…${text.slice(-6)}` : text)
const code = (text) => Object.assign(element('code', '', short(text)), { title: text })
const dash = () => element('span', 'quiet', '–')
const number = new Intl.NumberFormat('en')
const counted = (count, one, many = `${one}s`) => `${number.format(count)} ${Number(count) === 1 ? one : many}`

const PULSE = 2000
/** Settlements below which a signer has to be seen to; and what fills the bar. */
const [LOW, PLENTY] = [200, 2000]

const tone = { settled: 'good', final: 'good', refused: 'bad', dead: 'bad', reorged: 'bad' }
const nodeTone = { up: 'good', behind: 'wait', failing: 'wait', down: 'bad' }
let names = new Map()
const seen = new Set()
let chosen
let query = new URLSearchParams(location.search).get('q') ?? ''
byId('query').value = query
byId('filter').value = new URLSearchParams(location.search).get('only') ?? ''

async function ask(path) {
  const response = await fetch(path, { headers: { accept: 'application/json' } })
  if (response.ok) return response.json()
  const { health } = await response.json().catch(() => ({}))
  throw Object.assign(new Error(`${response.status}`), { health })
}

function showHealth({ ready, reasons, notes = [] }) {
  const pill = byId('health')
  const closed = new Set(reasons.map(({ network }) => network))
  // What is no matter of one network is in the way of all; and so is what is a matter of each.
  const some = !ready && reasons.every(({ part }) => part === 'chain') && closed.size < names.size
  pill.className = `pill ${ready ? 'good' : some ? 'wait' : 'bad'}`
  pill.textContent = ready
    ? 'takes payments'
    : some
      ? `takes none on ${[...closed].map(nameOf).join(', ')}`
      : 'takes no payments'
  const what = [...reasons, ...notes].map(({ part, network, signer, code, state, detail, hint }) =>
    [
      network ? nameOf(network) : part,
      ...(signer ? [signer] : []),
      detail ?? [code ?? state, ...(hint ? [hint] : [])].join('. '),
    ].join(': '),
  )
  byId('reasons').textContent = [...new Set(what)].join(' · ')
  byId('reasons').hidden = what.length === 0
}

function showFigures({ settledLately, open, oldestOpenSeconds, settling, verifying }) {
  const waiting = Object.values(open).reduce((sum, count) => sum + count, 0)
  const states = Object.entries(open).map(([state, count]) => `${count} ${state}`)
  const figures = [
    [number.format(settledLately), 'settled in the last minute'],
    [number.format(waiting), states.length > 0 ? `open: ${states.join(', ')}` : 'open settlements'],
    [
      oldestOpenSeconds === undefined ? '–' : `${oldestOpenSeconds} s`,
      'oldest open',
      oldestOpenSeconds > 60 ? 'bad' : '',
    ],
    [number.format(settling), 'callers wait for a settlement'],
    [number.format(verifying), 'verifications under way'],
  ]
  byId('figures').replaceChildren(
    ...figures.map(([figure, label, className]) =>
      element('li', '', element('b', className ?? '', figure), element('span', '', label)),
    ),
  )
}

function showLanes({ chains, replica }) {
  byId('lanes').replaceChildren(
    ...chains.flatMap(({ network, coin, lanes }) =>
      lanes.map(({ signer, owner, lapsed, shared, nextNonce, open, lowest, highest, balance, runway }) =>
        element(
          'tr',
          '',
          cell(code(signer)),
          networkCell(network),
          cell(shared ? element('span', 'quiet', 'every replica') : ownerOf(owner, lapsed, replica)),
          cell(nextNonce === undefined ? dash() : number.format(nextNonce), 'number'),
          cell(openText(open, lowest, highest), 'number'),
          cell(balance === undefined ? dash() : [balance, ...(coin ? [coin] : [])].join(' '), 'number'),
          cell(runwayOf(runway), 'number'),
        ),
      ),
    ),
  )
}

function ownerOf(owner, lapsed, here) {
  if (owner === undefined) return element('span', 'wait', 'nobody')
  return lapsed ? element('span', '', code(owner), ' ', element('span', 'bad', 'gone')) : replicaOf(owner, here)
}

const replicaOf = (id, here) =>
  element('span', '', code(id), ...(id === here ? [' ', element('span', 'good', 'this one')] : []))

function showReplicas({ replicas, replica: here }) {
  byId('replicas').replaceChildren(
    ...replicas.map(({ id, host, process, alive, seconds, lanes }) =>
      element(
        'tr',
        '',
        cell(replicaOf(id, here)),
        cell(element('span', `pill ${alive ? 'good' : 'bad'}`, alive ? 'alive' : 'gone')),
        cell(alive ? `${lasting(seconds)} left` : `for ${lasting(seconds)}`, 'quiet'),
        cell(lanes === 0 ? dash() : number.format(lanes), 'number'),
        cell(Object.assign(code(host), { title: `${host}, process ${process}` })),
      ),
    ),
  )
}

function lasting(seconds) {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

function openText(open, lowest, highest) {
  if (open === 0) return element('span', 'quiet', 'none')
  return lowest === undefined ? `${open}` : `${open} (${lowest === highest ? lowest : `${lowest}–${highest}`})`
}

function runwayOf(runway) {
  if (runway === undefined) return dash()
  const meter = Object.assign(document.createElement('meter'), {
    min: 0,
    max: PLENTY,
    low: LOW,
    high: LOW,
    optimum: PLENTY,
    value: Math.min(runway, PLENTY),
  })
  meter.title = counted(runway, 'settlement')
  return element('span', `runway ${runway < LOW ? 'bad' : ''}`, meter, compact(runway))
}

const compact = (value) => new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value)

function showNodes(chains) {
  const rows = chains.flatMap(({ network, nodes }) =>
    nodes.map(({ host, state, lag, latencyMs, fault }) => {
      const pill = element('span', `pill ${nodeTone[state]}`, state)
      if (fault) pill.title = fault
      const several = nodes.length > 1
      return element(
        'tr',
        '',
        cell(element('code', '', host)),
        networkCell(network),
        cell(pill),
        cell(several ? counted(lag, 'block') : dash(), 'number'),
        cell(latencyMs === undefined ? dash() : `${latencyMs} ms`, 'number'),
      )
    }),
  )
  byId('nodes').replaceChildren(...rows)
}

function showWebhooks(webhooks) {
  byId('webhooks-section').hidden = webhooks.length === 0
  byId('webhooks').replaceChildren(
    ...webhooks.map(({ endpoint, waiting, dead, next }) =>
      element(
        'tr',
        '',
        cell(element('code', '', endpoint)),
        cell(number.format(waiting), 'number'),
        cell(dead === 0 ? dash() : element('span', 'pill bad', number.format(dead)), 'number'),
        cell(next ? element('span', 'bad', `${next.said} (${counted(next.tries, 'try', 'tries')})`) : dash()),
        cell(next ? timeOf(next.at) : dash(), 'quiet'),
      ),
    ),
  )
}

function showPayments(payments) {
  const isFirst = seen.size === 0
  const isNew = ({ pid }) => !isFirst && query === '' && !seen.has(pid)
  byId('payments').replaceChildren(
    ...payments.map((payment) => {
      const { pid, state, code: reason, network, payer, payTo, amount, price, createdAt } = payment
      const pill = element('span', `pill ${tone[state] ?? 'wait'}`, state)
      if (reason) pill.title = reason
      const row = element(
        'tr',
        isNew(payment) ? 'fresh' : '',
        cell(timeOf(createdAt), 'quiet'),
        cell(pill),
        cell(price ?? amount, 'number'),
        networkCell(network),
        cell(code(payer)),
        cell(code(payTo)),
        transactionCell(payment),
      )
      row.tabIndex = 0
      row.dataset.pid = pid
      row.setAttribute('aria-selected', String(chosen?.pid === pid))
      row.addEventListener('click', () => choose(payment))
      row.addEventListener('keydown', ({ key }) => key === 'Enter' && choose(payment))
      return row
    }),
  )
  for (const { pid } of payments) seen.add(pid)
  byId('none').hidden = payments.length > 0
  byId('none').textContent = query === '' ? 'No payment yet.' : `Nothing is known of ${query}.`
}

/** What paid it, or what may still: that is in the journal, and not yet on the chain. */
function transactionCell({ transaction, attempts = [], code: reason }) {
  if (transaction) return cell(code(transaction))
  if (reason) return cell(element('span', 'bad', reason))
  const waiting = attempts.findLast(({ status }) => status === 'signed' || status === 'sent')
  return cell(waiting ? code(waiting.transaction) : dash(), 'quiet')
}

function timeOf(at) {
  const time = new Date(at)
  const isToday = time.toDateString() === new Date().toDateString()
  return isToday ? time.toLocaleTimeString('en-GB') : time.toLocaleString('en-GB')
}

const nameOf = (network) => names.get(network) ?? network
const networkCell = (network) => Object.assign(cell(nameOf(network)), { title: network })

/** Leaves the rows that have every word, in what is shown of them or what it stands for; of all tables. */
function filterRows() {
  const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean)
  const rows = [...document.querySelectorAll('tbody tr')]
  for (const row of rows) {
    const said = [...row.children].flatMap((each) => [each, ...each.querySelectorAll('[title]')])
    const text = said
      .flatMap(({ textContent, title }) => [textContent, title])
      .join(' ')
      .toLowerCase()
    row.hidden = !words.every((word) => text.includes(word))
  }
  const left = rows.filter(({ hidden }) => !hidden).length
  const all = `the ${counted(rows.length, 'row')} shown`
  const fits = left === 0 ? `nothing matches in ${all}` : `${left} of ${all}`
  byId('fits').textContent = words.length === 0 ? '' : fits
}

/** What is asked for stands in the address, so that it can be kept and sent. */
function writeAddress() {
  const asked = Object.entries({ q: query, only: byId('filter').value.trim() }).filter(([, text]) => text !== '')
  history.replaceState(null, '', asked.length === 0 ? '/' : `/?${new URLSearchParams(asked)}`)
}

async function choose(payment) {
  chosen = payment
  const { pid, state, code: reason, scheme, network, payer, payTo, asset, amount, price, transaction } = payment
  const facts = [
    ...Object.entries({ pid, state, reason, scheme, network, payer }),
    ['paid to', payTo],
    ['asset', asset],
    ['amount', price ? `${price} (${amount})` : amount],
    ['transaction', transaction],
    ...(payment.attempts ?? []).map(({ transaction: hash, status }) => ['attempt', `${hash} (${status})`]),
  ]
  byId('facts').replaceChildren(
    ...facts
      .filter(([, value]) => value !== undefined)
      .flatMap(([name, value]) => [element('dt', '', name), element('dd', '', value)]),
  )
  for (const row of byId('payments').children) row.setAttribute('aria-selected', String(row.dataset.pid === pid))
  byId('detail').hidden = false
  const { history } = await ask(`/api/payments/${pid}`).catch(() => ({ history: [] }))
  if (chosen !== payment) return
  byId('history').replaceChildren(
    ...history.map(({ at, state, code: reason }) =>
      element(
        'li',
        '',
        element('span', tone[state] ?? '', reason ? `${state} (${reason})` : state),
        ' ',
        element('span', 'quiet', clock(at)),
      ),
    ),
  )
}

const clock = (at) => `${timeOf(at)}.${String(at % 1000).padStart(3, '0')}`

/** What is shown of one payment goes on with it, also when newer ones have pushed it off the list. */
async function lookAgain(before, payments) {
  const isChosen = ({ pid }) => pid === before.pid
  const now = payments.find(isChosen) ?? (await ask(`/api/payments?q=${before.pid}`)).find(isChosen)
  if (now && chosen === before && JSON.stringify(now) !== JSON.stringify(before)) await choose(now)
}

async function look() {
  try {
    const listed = ask(`/api/payments?q=${encodeURIComponent(query)}`)
    // What is in the way is said by the overview.
    listed.catch(() => {})
    const overview = await ask('/api/overview')
    const payments = await listed
    names = new Map(overview.chains.map(({ network, name }) => [network, name]))
    showHealth(overview.health)
    showFigures(overview)
    showLanes(overview)
    showReplicas(overview)
    showNodes(overview.chains)
    showWebhooks(overview.webhooks)
    showPayments(payments)
    filterRows()
    if (chosen) await lookAgain(chosen, payments)
  } catch ({ health }) {
    if (health) return showHealth(health)
    const pill = byId('health')
    pill.className = 'pill bad'
    pill.textContent = 'no answer'
  }
}

byId('search').addEventListener('submit', (event) => event.preventDefault())
byId('query').addEventListener('input', () => {
  query = byId('query').value.trim()
  writeAddress()
  void look()
})
byId('filter').addEventListener('input', () => {
  writeAddress()
  filterRows()
})
byId('close').addEventListener('click', () => {
  chosen = undefined
  byId('detail').hidden = true
})
for (;;) {
  if (!document.hidden) await look()
  await new Promise((resolve) => setTimeout(resolve, PULSE))
}
