// `groat serve` before an API that knows nothing of payments, and one sale on a local chain: `node examples/sellers/proxy.mjs`, after
// `npm run build` in the root.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCli } from '@groat/cli'
import { listen, tryOut } from './try-out.mjs'

export async function openShop({ facilitator, payTo }) {
  const api = await listen(createServer((_, res) => res.end(JSON.stringify({ temperature: 11 }))))
  const folder = await mkdtemp(join(tmpdir(), 'groat-proxy-'))
  const file = join(folder, 'shop.yaml')
  await writeFile(
    file,
    `listen: 127.0.0.1:0
upstream: ${new URL(api.url).origin}
facilitator: ${facilitator}
payTo: ${JSON.stringify(payTo)}
routes:
  GET /weather: $0.001
`,
  )
  // In a shell: groat serve shop.yaml
  let stop = () => {}
  const stopped = new Promise((resolve) => {
    stop = resolve
  })
  const same = (text) => text
  const style = { bold: same, quiet: same, good: same, bad: same }
  const { url, ended } = await new Promise((resolve, reject) => {
    // The first line says where it serves.
    const out = (line) => resolve({ url: JSON.parse(line).ready.url, ended })
    const io = { environment: {}, out, say: () => {}, ask: undefined, style, stopped }
    const ended = runCli(['serve', file], io)
    ended.then((code) => reject(new Error(`groat serve ended with ${code}`)), reject)
  })
  return {
    url: `${url}/weather`,
    close: async () => {
      stop()
      await ended
      await api.close()
      await rm(folder, { recursive: true })
    },
  }
}

await tryOut(import.meta.url, openShop)
