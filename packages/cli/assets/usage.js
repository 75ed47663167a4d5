// Asks the shop how it does, and shows it. Text only: names of routes and accounts come from elsewhere.
const by = (id) => document.getElementById(id)
const days = by('days')

const cell = (tag, text, isNumber) => {
  const made = document.createElement(tag)
  made.textContent = text
  if (isNumber) made.className = 'number'
  return made
}

const line = (tag, texts) => {
  const row = document.createElement('tr')
  row.append(...texts.map((text, at) => cell(tag, text, at > 1)))
  return row
}

const tables = { days: 'Day', routes: 'Route', payers: 'Payer' }
for (const [list, name] of Object.entries(tables)) {
  const head = by(`list-${list}`).closest('table').tHead
  head.append(line('th', [name, 'Network', 'Payments', 'Revenue', 'Refunds', 'Given back']))
  for (const each of head.querySelectorAll('th')) each.scope = 'col'
}

async function show() {
  try {
    const answer = await fetch(`/api/usage?days=${days.value}`)
    if (!answer.ok) throw new Error(`the shop answered ${answer.status}`)
    const usage = await answer.json()
    for (const list of Object.keys(tables)) {
      const rows = usage[list].map((row) =>
        line('td', [row.name, row.on, String(row.payments), row.revenue, String(row.refunds), row.refunded]),
      )
      by(`list-${list}`).replaceChildren(...(rows.length > 0 ? rows : [line('td', ['Nothing yet.'])]))
    }
    const facts = [
      ['Payments that failed', usage.failed.payments],
      ['Deliveries that failed', usage.failed.deliveries],
      ['Unknown now', usage.now.unknown],
      ['Owed now', usage.now.owed],
      ['Refunds under way', usage.now.refunds],
    ]
    by('facts').replaceChildren(
      ...facts.map(([name, count]) => {
        const box = document.createElement('div')
        const value = cell('dd', String(count))
        if (count > 0) value.className = 'bad'
        box.append(cell('dt', name), value)
        return box
      }),
    )
    by('trouble').textContent = ''
  } catch (error) {
    by('trouble').textContent = `Not up to date: ${error.message}`
  }
}

days.addEventListener('change', show)
setInterval(show, 5_000)
await show()
