// The page of the sandbox: shows what /sandbox/state says and follows /sandbox/events.
const byId = (id) => document.getElementById(id)
const element = (name, className, ...children) => {
  const node = document.createElement(name)
  if (className) node.className = className
  node.append(...children)
  return node
}
const cell = (content, className) => element('td', className, content)
const short = (hex) => (hex.length > 14 ? `${hex.slice(0, 8)}…${hex.slice(-4)}` : hex)
const hash = (hex) => Object.assign(element('span', 'hash', short(hex)), { title: hex })

function showRoutes(routes, networks, origin) {
  byId('routes').replaceChildren(
    ...routes.map(({ method, path, price, model, mode, scheme, networks: on, websocket }) => {
      const buttons = networks
        .filter(({ id }) => on.includes(id))
        .map(({ id, name }) => {
          const buy = element('button', '', name)
          buy.setAttribute('aria-label', `Buy ${method} ${path} for ${price} on ${name}`)
          buy.addEventListener('click', () => purchase(path, id, buy))
          return buy
        })
      return element(
        'tr',
        '',
        cell(element('code', '', websocket ? `WS ${path}` : `${method} ${path}`)),
        cell(price, 'number'),
        cell(model),
        cell(mode),
        cell(scheme),
        cell(element('span', 'buttons', ...buttons)),
      )
    }),
  )
  byId('example')?.replaceChildren(origin + (routes[0]?.path ?? ''))
}

function showAccounts(accounts) {
  byId('accounts').replaceChildren(
    ...accounts.map(({ role, network, address, usdc, coin }) =>
      element('tr', '', cell(role), cell(network), cell(hash(address)), cell(usdc, 'number'), cell(coin, 'number')),
    ),
  )
}

function showServices(services) {
  byId('services').replaceChildren(
    ...Object.entries(services).flatMap(([name, url]) => [element('dt', '', name), element('dd', '', url)]),
  )
}

function addPayment({ at, resource, outcome, amount, payer, network, transaction }) {
  const rows = byId('payments')
  rows.querySelector('.empty')?.remove()
  const row = element(
    'tr',
    'fresh',
    cell(new Date(at).toLocaleTimeString(), 'quiet'),
    cell(
      element(
        'span',
        outcome === 'settled' ? 'settled' : 'refused',
        outcome === 'settled' ? resource : `${resource} (${outcome})`,
      ),
    ),
    cell(amount, 'number'),
    cell(network),
    cell(hash(payer)),
    cell(transaction ? hash(transaction) : '–'),
  )
  rows.prepend(row)
  while (rows.children.length > 50) rows.lastElementChild.remove()
}

async function purchase(path, network, button) {
  button.disabled = true
  const answer = byId('answer')
  try {
    const response = await fetch('/sandbox/buy', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ path, network }),
    })
    answer.textContent = JSON.stringify(await response.json(), null, 2)
  } catch (error) {
    answer.textContent = `The sandbox did not answer: ${error.message}`
  }
  answer.hidden = false
  button.disabled = false
}

function show(state) {
  showRoutes(state.routes, state.networks, location.origin)
  showAccounts(state.accounts)
  showServices(state.services)
}

const events = new EventSource('/sandbox/events')
events.addEventListener('open', () => byId('live').classList.add('on'))
events.addEventListener('error', () => byId('live').classList.remove('on'))
events.addEventListener('payment', ({ data }) => addPayment(JSON.parse(data)))
events.addEventListener('state', ({ data }) => show(JSON.parse(data)))
