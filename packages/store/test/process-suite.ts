import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../src/index.js'
import { compileChild } from './children.js'

type Tables = { claim: { pid: string; owner: string }; half: { id: string; side: string } }

/** What holds between processes. `fresh` names a store that nobody has used yet. */
export function describeProcesses(name: string, fresh: () => Promise<string>) {
  describe(`${name}, several processes`, () => {
    let child: Awaited<ReturnType<typeof compileChild>>
    beforeAll(async () => {
      child = await compileChild()
    })
    afterAll(() => child.remove())

    test('of two that claim the same 200 keys, each key has exactly one winner', async () => {
      const target = await fresh()
      const children = await Promise.all(['a', 'b'].map((owner) => child.start('claim', target, owner)))
      for (const { go } of children) go()
      const said = await Promise.all(children.map(({ end }) => end()))
      const won = said.map((lines) => lines.slice(1))
      expect(won.flat().sort()).toEqual(Array.from({ length: 200 }, (_, i) => `pid-${i}`).sort())

      const store = await openStore<Tables>(target)
      const rows = await store.db.selectFrom('claim').selectAll().orderBy('pid').execute()
      await store.close()
      expect(rows).toEqual(
        won
          .flatMap((pids, i) => pids.map((pid) => ({ pid, owner: ['a', 'b'][i] })))
          .sort((x, y) => (x.pid < y.pid ? -1 : 1)),
      )
    })

    test('of three that migrate an empty database at once, one does each step', async () => {
      const target = await fresh()
      const children = await Promise.all(['a', 'b', 'c'].map((owner) => child.start('migrate', target, owner)))
      for (const { go } of children) go()
      const said = await Promise.all(children.map(({ end }) => end()))
      expect(said.flatMap(([, steps = '']) => JSON.parse(steps)).sort()).toEqual(['001_claim', '002_half'])

      const store = await openStore<Tables>(target)
      const { rows } = await sql`select side from half order by side`.execute(store.db)
      await store.close()
      expect(rows).toEqual([{ side: 'left' }, { side: 'right' }])
    })
  })
}
