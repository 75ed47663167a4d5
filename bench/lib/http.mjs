import { Agent, createServer, request } from 'node:http'

/** Serves on a free loopback port. */
export async function listen(listener) {
  const server = createServer(listener)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}`
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { url, close }
}

/** Keeps `connections` requests in flight for `ms` and counts answers per second. Throws when a status is not the one expected. */
export async function load(url, { connections = 16, ms = 400, headers = () => ({}), expect = 200 } = {}) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const target = new URL(url)
  const options = { agent, host: target.hostname, port: target.port, path: target.pathname }
  let answers = 0
  const start = performance.now()
  const worker = async () => {
    while (performance.now() - start < ms) {
      const status = await get({ ...options, headers: headers() })
      if (status !== expect) throw new Error(`${url} answered ${status}, not ${expect}`)
      answers++
    }
  }
  await Promise.all(Array.from({ length: connections }, worker))
  agent.destroy()
  return answers / ((performance.now() - start) / 1000)
}

function get(options) {
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    })
    sent.on('error', reject)
    sent.end()
  })
}
