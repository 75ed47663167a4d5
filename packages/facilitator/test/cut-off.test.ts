import type { Settlement } from '@groat/core'
import { type EvmRole, startTcpProxy, type TcpFault } from '@groat/sandbox'
import { expect, test } from 'vitest'
import type { JournalTables } from '../src/journal/tables.js'
import { settleToEnd, until, useFacilitator } from './chain-kit.js'

const on = useFacilitator()

/** The replicas that hold lanes, one name for each lane. */
async function holders(): Promise<string> {
  const lanes = await on.tables().selectFrom('lane').select('owner').orderBy('owner').execute()
  return lanes.map(({ owner }) => owner).join()
}

const ways: readonly TcpFault[] = [{ action: 'cut' }, { action: 'freeze' }]

test.each(ways)(
  'ENG-5, LIV-1 a replica whose nodes are away ($action) leaves its signer, and what it sent, to one whose nodes answer, and takes part again when they do',
  async (fault) => {
    const node = new URL(on.chain.rpcUrl)
    const proxy = await startTcpProxy({ host: node.hostname, port: Number(node.port) })
    const events: string[] = []
    const onEvent = ({ type }: { type: string }) => void events.push(type)
    const cut = await on.serve({ rpc: `http://${proxy.host}:${proxy.port}`, lease: 1500, settleTimeout: 500, onEvent })
    const other = await on.serve({ lease: 1500, settleTimeout: 500 })
    expect(await settleToEnd(cut, await on.pay())).toMatchObject({ status: 'settled' })
    expect(events).toContain('lane_taken')

    await on.chain.setAutomine(false)
    const sent = await on.pay('payer', { maxTimeoutSeconds: 3600 })
    expect(await cut.settle(sent)).toMatchObject({ status: 'unknown' })
    proxy.set(fault)
    await on.chain.mine()
    await on.chain.setAutomine(true)
    const claimed = await on.pay('payer', { maxTimeoutSeconds: 3600 })
    void cut.settle(claimed).catch(() => undefined)
    const later = await on.pay('payer', { maxTimeoutSeconds: 3600 })
    for (const request of [sent, claimed, later]) {
      expect(await settleToEnd(other, request)).toMatchObject({ status: 'settled' })
    }
    expect(events).toContain('lane_left')

    proxy.set({ action: 'pass' })
    const back = await on.pay('payer', { maxTimeoutSeconds: 3600 })
    expect(await settleToEnd(cut, back)).toMatchObject({ status: 'settled' })
    await other.stop()
    await until(() => events.filter((type) => type === 'lane_taken').length > 1)
    await on.expectMoved(5)
    await cut.stop()
    await proxy.stop()
  },
  60_000,
)

test('A14 what a replica settled is watched by others while its nodes are away, and lands again when its block is undone', async () => {
  const node = new URL(on.chain.rpcUrl)
  const proxy = await startTcpProxy({ host: node.hostname, port: Number(node.port) })
  const quick = { lease: 1500, watchInterval: 50, rebroadcast: 100 }
  const cut = await on.serve({ ...quick, rpc: `http://${proxy.host}:${proxy.port}` })
  const other = await on.serve(quick)
  const request = await on.pay()
  expect(await settleToEnd(cut, request)).toMatchObject({ status: 'settled' })
  proxy.set({ action: 'cut' })
  const { db } = on.store.withTables<JournalTables>()
  const owner = async () => (await db.selectFrom('settlement').select('owner').executeTakeFirstOrThrow()).owner
  await until(async () => (await owner()) === other.replica)
  await on.chain.reorg(1)
  const events = async () => (await db.selectFrom('event').select('to_state').execute()).map(({ to_state }) => to_state)
  await until(async () => (await events()).includes('reorged'))
  expect(await settleToEnd(other, request)).toMatchObject({ status: 'settled' })
  await on.expectMoved(1)
  await proxy.stop()
}, 60_000)

test('ENG-5 a replica whose nodes are back has its share of the signers again', async () => {
  const node = new URL(on.chain.rpcUrl)
  const proxy = await startTcpProxy({ host: node.hostname, port: Number(node.port) })
  const two = { lease: 1500, signers: ['facilitator', 'facilitator2'] as const }
  const cut = await on.serve({ ...two, rpc: `http://${proxy.host}:${proxy.port}` })
  const other = await on.serve(two)
  const shared = [cut.replica, other.replica].sort().join()
  await until(async () => (await holders()) === shared)
  proxy.set({ action: 'cut' })
  await until(async () => (await holders()) === `${other.replica},${other.replica}`)
  proxy.set({ action: 'pass' })
  await until(async () => (await holders()) === shared)
  await proxy.stop()
}, 60_000)

test('ENG-5 a replica that comes while payments never cease has its share of the signers', async () => {
  const quick = { lease: 1500, signers: ['facilitator', 'facilitator2'] as const, settleTimeout: 10_000 }
  const first = await on.serve(quick)
  await on.chain.setAutomine(false)
  const settled: Promise<Settlement>[] = []
  let isOver = false
  async function keepPaying(role: EvmRole) {
    while (!isOver) {
      settled.push(settleToEnd(first, await on.pay(role)))
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }
  async function keepMining() {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 400))
      await on.chain.mine()
    }
    await on.chain.setAutomine(true)
  }
  const world = [keepMining(), ...(['payer', 'payer2', 'payer3', 'payer4', 'payer5'] as const).map(keepPaying)]
  await until(() => settled.length > 20)
  const second = await on.serve(quick)
  const shared = [first.replica, second.replica].sort().join()
  await until(async () => (await holders()) === shared)
  isOver = true
  await Promise.all(world)
  for (const each of await Promise.all(settled)) expect(each).toMatchObject({ status: 'settled' })
  await on.expectMoved(settled.length)
}, 60_000)
