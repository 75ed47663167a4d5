// Shows what the catalogue lists. Text only, and never as markup: every word of a listing is a stranger's.
const by = (id) => document.getElementById(id)
const PAGE = 20

const make = (tag, text, className) => {
  const made = document.createElement(tag)
  if (text !== undefined) made.textContent = String(text).slice(0, 4000)
  if (className) made.className = className
  return made
}

/** What people call a network: its own id is what programs and filters go by. */
const nameOf = (network, { networks }) => networks?.[network] ?? network

function listing(item) {
  const { resource, method, toolName, serviceName, description, tags, accepts, quality, metadata, extensions } = item
  const row = make('li')
  const title = make('h2')
  title.append(
    make('span', serviceName ?? toolName ?? new URL(resource).pathname),
    make('span', [...new Set(metadata.prices)].join(' or '), 'price'),
  )
  const place = make('p')
  place.append(make('code', `${toolName ? `tool ${toolName} at` : (method ?? '')} ${resource}`.trim()))
  row.append(title, place)
  if (description) row.append(make('p', description))
  const notes = make('p', undefined, 'notes')
  notes.append(
    make(
      'span',
      metadata.originVerified ? 'confirmed by its origin' : 'not confirmed by its origin',
      `pill ${metadata.originVerified ? 'good' : 'wait'}`,
    ),
  )
  if (metadata.saidBy === null) notes.append(make('span', 'undescribed', 'pill wait'))
  const ways = new Map(accepts.map(({ scheme, network }) => [`${scheme} ${network}`, { scheme, network }]))
  for (const { scheme, network } of ways.values()) {
    const way = make('span', `${scheme} on ${nameOf(network, metadata)}`, 'pill')
    way.title = network
    notes.append(way)
  }
  for (const tag of tags ?? []) notes.append(make('span', tag, 'pill'))
  const { l30DaysUniquePayers: payers, l30DaysReturningPayers: back } = quality
  notes.append(make('span', `${payers} ${payers === 1 ? 'payer' : 'payers'} in 30 days, ${back} came back`))
  row.append(notes)
  const info = extensions.bazaar?.info
  const how = make('details')
  how.append(make('summary', 'How it is called'), make('pre', JSON.stringify(info, null, 2)))
  if (info !== undefined) row.append(how)
  return row
}

let shown = 0
let cursor = null
let turn = 0

async function show(isMore = false) {
  const mine = ++turn
  const filters = new URLSearchParams(new FormData(by('filters')))
  for (const [name, value] of [...filters]) if (value.trim() === '') filters.delete(name)
  const isSearch = filters.has('query')
  filters.set('limit', PAGE)
  if (isMore && isSearch) filters.set('cursor', cursor)
  if (isMore && !isSearch) filters.set('offset', shown)
  try {
    const answer = await fetch(`/discovery/${isSearch ? 'search' : 'resources'}?${filters}`)
    if (mine !== turn) return
    const { items, resources, pagination, detail, title, hint } = await answer.json()
    if (!answer.ok) throw new Error([detail ?? title, hint].join('. '))
    const rows = items ?? resources
    if (!isMore) by('listings').replaceChildren()
    by('listings').append(...rows.map(listing))
    shown = by('listings').children.length
    cursor = pagination.cursor ?? null
    by('more').hidden = isSearch ? cursor === null : shown >= pagination.total
    by('count').textContent = isSearch
      ? `${shown}${cursor === null ? '' : ' or more'} found`
      : `${pagination.total} listed`
    by('none').hidden = shown > 0
    by('none').textContent = 'Nothing is listed that fits.'
    const known = new Set([...by('networks').children].map((each) => each.value))
    for (const { network, metadata } of rows.flatMap(({ accepts, metadata }) =>
      accepts.map((each) => ({ network: each.network, metadata })),
    )) {
      if (known.has(network) || known.size > 50) continue
      known.add(network)
      const option = make('option', nameOf(network, metadata))
      option.value = network
      by('networks').append(option)
    }
  } catch (error) {
    if (mine !== turn) return
    by('count').textContent = `Not to be had: ${error.message}`
  }
}

let pause
by('filters').addEventListener('input', () => {
  clearTimeout(pause)
  pause = setTimeout(show, 200)
})
by('filters').addEventListener('submit', (event) => {
  event.preventDefault()
  show()
})
by('more').addEventListener('click', () => show(true))
by('why').addEventListener('submit', async (event) => {
  event.preventDefault()
  const asked = new URLSearchParams(new FormData(by('why')))
  try {
    const answer = await fetch(`/discovery/why?${asked}`)
    const { listed, checks, detail, hint } = await answer.json()
    if (!answer.ok) throw new Error([detail ?? 'no answer', hint].join('. '))
    const line = ({ ok, name, detail: text }) => {
      const row = make('li')
      row.append(
        make(
          'span',
          ok === true ? 'yes' : ok === false ? 'no' : 'not known',
          `pill ${ok === true ? 'good' : ok === false ? 'bad' : 'wait'}`,
        ),
        ` ${name}: ${text}`,
      )
      return row
    }
    by('checks').replaceChildren(make('li', listed ? 'It is listed.' : 'It is not listed.'), ...checks.map(line))
  } catch (error) {
    by('checks').replaceChildren(make('li', `Not to be had: ${error.message}`))
  }
})
await show()
