import { type NodeStatus, network } from '@groat/core'
import { expect, test } from 'vitest'
import { createNodeWatch, type NodeEvent } from './node-watch.js'

const base = network('base')

/** A watch whose looks come when the test says so. */
function watchOver(nodes: Record<string, Pick<NodeStatus, 'failures' | 'fault'>>) {
  const told: NodeEvent[] = []
  const due: (() => void)[] = []
  const timers = {
    background(_: number, call: () => void) {
      due.push(call)
      return () => void due.splice(due.indexOf(call), 1)
    },
  }
  const status = () =>
    Object.entries(nodes).map(([host, said]): NodeStatus => ({ host, state: 'up', lag: 0n, ...said }))
  const chain = { network: base, nodes: status }
  const watch = createNodeWatch({ chains: [chain, { network: base }], timers, tell: (event) => told.push(event) })
  const look = () => {
    for (const call of due.splice(0)) call()
    return told.splice(0)
  }
  return { watch, look, due }
}

test('a node that is away is told once, with why, and once that it is back', () => {
  const nodes: Record<string, Pick<NodeStatus, 'failures' | 'fault'>> = { a: { failures: 0 }, b: { failures: 0 } }
  const { watch, look, due } = watchOver(nodes)
  watch.start()
  expect(look()).toEqual([])
  nodes.b = { failures: 1, fault: 'rpc_unreachable' }
  expect(look()).toEqual([])
  nodes.b = { failures: 7, fault: 'rpc_unreachable' }
  expect(look()).toEqual([{ type: 'node_away', network: base, node: 'b', code: 'rpc_unreachable' }])
  expect([look(), look()]).toEqual([[], []])
  nodes.b = { failures: 0 }
  expect([look(), look()]).toEqual([[{ type: 'node_back', network: base, node: 'b' }], []])
  watch.stop()
  expect(due).toEqual([])
})

test('one question that fails is no outage, and a chain that says nothing of nodes is not watched', () => {
  const nodes = { a: { failures: 1 } }
  const { watch, look } = watchOver(nodes)
  watch.start()
  expect(look()).toEqual([])
  nodes.a = { failures: 0 }
  expect([look(), look()]).toEqual([[], []])
  const { watch: idle, due } = watchOver({})
  expect(due).toEqual([])
  idle.stop()
})
