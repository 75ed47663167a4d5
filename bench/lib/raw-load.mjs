import { connect } from 'node:net'

/**
 * Keeps `connections` GET requests in flight for `ms`, or until there are no more `headers`, and counts answers in so many seconds. It writes to
 * sockets and reads no more of an answer than its status and its end: a client that does more is what gets measured.
 * Throws when a status is not the one expected.
 */
export async function load(url, { connections = 32, ms = 1500, headers, expect = 200 } = {}) {
  const { hostname, port, pathname } = new URL(url)
  const requests = (headers ?? [{}]).map((each) => requestOf({ host: `${hostname}:${port}`, pathname, headers: each }))
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(hostname, port)))
  let next = 0
  let answers = 0
  const start = performance.now()
  const worker = async (socket) => {
    while (performance.now() - start < ms && (headers === undefined || next < requests.length)) {
      const request = headers === undefined ? requests[0] : requests[next++]
      const status = await exchange(socket, request)
      if (status !== expect) throw new Error(`${url} answered ${status}, not ${expect}`)
      answers++
    }
  }
  try {
    await Promise.all(sockets.map(worker))
    return { answers, seconds: (performance.now() - start) / 1000 }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

function requestOf({ host, pathname, headers }) {
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`)
}

function open(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host, () => resolve(socket.setNoDelay()))
    socket.once('error', reject)
  })
}

function exchange(socket, request) {
  return new Promise((resolve, reject) => {
    let text = ''
    const end = (settle, value) => {
      socket.off('data', read).off('close', closed)
      settle(value)
    }
    const closed = () => end(reject, new Error('the server closed the connection'))
    const read = (chunk) => {
      text += chunk.latin1Slice()
      if (isWhole(text)) end(resolve, Number(text.slice(9, 12)))
    }
    socket.on('data', read).on('close', closed)
    socket.write(request)
  })
}

function isWhole(text) {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))
  return length === null ? text.endsWith('\r\n0\r\n\r\n') : text.length >= head + 4 + Number(length[1])
}
