import { startTcpProxy, type TcpFault } from '@groat/sandbox'
import { expect, test } from 'vitest'
import { settleToEnd, until, useFacilitator } from './chain-kit.js'

const on = useFacilitator()

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
