import { Agent, request } from 'node:http'

/** A client that keeps as many connections open as it needs, and is light: what it costs is not what is measured. */
export function createPoster({ timeout = 40_000, maxSockets = 512 } = {}) {
  const agent = new Agent({ keepAlive: true, maxSockets })
  return {
    /** Posts JSON text and answers `{ status, retryAfter, body }`; rejects when no answer came in time. */
    post: (url, body) => send(agent, timeout, url, 'POST', body),
    get: (url, headers) => send(agent, timeout, url, 'GET', undefined, headers),
    close: () => agent.destroy(),
  }
}

function send(agent, timeout, url, method, body, more = {}) {
  return new Promise((resolve, reject) => {
    const about =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { method, agent, headers: { ...about, ...more }, timeout }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part) => (text += part))
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], body: JSON.parse(text) })
        } catch (error) {
          reject(error)
        }
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(new Error('no answer')))
    sent.end(body)
  })
}
