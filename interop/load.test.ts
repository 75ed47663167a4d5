import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCli } from '@groat/cli'
import { usdcAbi } from '@groat/sandbox'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { officialExpress } from './peers/official.js'
import { officialEvmFetch, officialEvmScheme } from './peers/official-evm.js'
import { useStage } from './test-kit.js'

const PAYERS = 64
const stage = useStage()
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groat-load-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** `groat facilitator` with the example of the repository, on free ports and with a journal that is thrown away. */
async function exampleFacilitator() {
  const example = await readFile(new URL('../examples/facilitator.yaml', import.meta.url), 'utf8')
  const file = join(folder, 'facilitator.yaml')
  await writeFile(file, example.replaceAll(/^( *listen: 127\.0\.0\.1):\d+/gm, '$1:0'))
  let tell: (line: string) => void = () => {}
  const first = new Promise<string>((resolve) => {
    tell = resolve
  })
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const said: string[] = []
  const plain = (text: string) => text
  const ended = runCli(['facilitator', file, '--json'], {
    environment: { EVM_RPC: stage.chain.rpcUrl, EVM_KEY: stage.chain.account('facilitator2').privateKey },
    out: tell,
    say: (line) => said.push(line),
    ask: undefined,
    style: { bold: plain, quiet: plain, good: plain, bad: plain },
    stopped,
  })
  const line = await Promise.race([first, ended.then(() => Promise.reject(new Error(said.join('\n'))))])
  const { ready } = JSON.parse(line) as { ready: { url: string; admin: string } }
  const close = async (): Promise<void> => {
    stop()
    expect(await ended).toBe(0)
  }
  return { ...ready, said, close }
}

test('64 payers at once settle through ours behind the official Express server, every one of them once', async () => {
  const { chain } = stage
  const facilitator = await stage.keep(exampleFacilitator())
  const seller = chain.account('seller').address
  const shop = await stage.keep(
    officialExpress({ network: 'eip155:84532', scheme: officialEvmScheme })(facilitator.url, seller, '$0.001'),
  )
  const keys = Array.from({ length: PAYERS }, generatePrivateKey)
  const payers = keys.map((key) => privateKeyToAccount(key).address)
  for (const payer of payers) await chain.fund(payer, 2_000n)
  const fromBlock = (await chain.client.getBlockNumber()) + 1n
  const before = await chain.balance(seller)

  const buy = async (key: string) => {
    const response = await officialEvmFetch(key)(`${shop.url}/paid`)
    return `${response.status} ${JSON.stringify(await response.json())}`
  }
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all(keys.map(buy))
    expect([...new Set(answers)]).toEqual(['200 {"served":true}'])
  }

  expect((await chain.balance(seller)) - before).toBe(BigInt(2 * PAYERS) * 1000n)
  const query = { address: chain.usdc, abi: usdcAbi, eventName: 'Transfer', args: { to: seller } } as const
  const transfers = await chain.client.getContractEvents({ ...query, fromBlock })
  const paid = transfers.map(({ args }) => args.from?.toLowerCase())
  expect(paid.sort()).toEqual([...payers, ...payers].map((payer) => payer.toLowerCase()).sort())
  const overview = await (await fetch(`${facilitator.admin}/api/overview`)).json()
  expect(overview).toMatchObject({ health: { ready: true }, open: {} })
  expect(facilitator.said.filter((line) => line.includes('"fault"'))).toEqual([])
}, 180_000)
