import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from './database.js'
import { createGroupCommit, type GroupCommit } from './group-commit.js'

let database: Database
let commands: string[]
let handedOver: string[]
let group: GroupCommit
let beforeExec = (_command: string) => {}
let disk = Promise.resolve()

/** From now on the disk is slow, until it is let go. */
function holdCommits(): () => void {
  let release = () => {}
  disk = new Promise((resolve) => {
    release = resolve
  })
  return release
}

beforeEach(() => {
  const real = openDatabase(':memory:')
  real.exec('create table t (k text primary key, parent text references t (k) deferrable initially deferred)')
  commands = []
  handedOver = []
  beforeExec = () => {}
  disk = Promise.resolve()
  database = Object.create(real, {
    exec: {
      value: (command: string) => {
        commands.push(command)
        beforeExec(command)
        real.exec(command)
      },
    },
    execApart: {
      value: async (command: string) => {
        commands.push(command)
        handedOver.push(command)
        beforeExec(command)
        await disk
        real.exec(command)
      },
    },
  })
  group = createGroupCommit(database, { busyTimeout: 0, jitter: () => 0, maxMembers: 4 })
})
afterEach(() => database.close())

const insert = (k: string, parent: string | null = null) =>
  void database.prepare('insert into t (k, parent) values (?, ?)').run([k, parent])
const keys = () =>
  database
    .prepare('select k from t order by k')
    .all([])
    .map((row) => Object.values(row as object)[0])
const count = (command: string) => commands.filter((c) => c === command).length

describe('group commit', () => {
  test('while a commit waits for the disk the loop turns, and who comes then is in the next group', async () => {
    let turned = false
    let late: Promise<void> | undefined
    beforeExec = (command) => {
      if (command !== 'commit' || late !== undefined) return
      setImmediate(() => {
        turned = true
      })
      late = group.submit(async () => insert('b'))
    }
    const release = holdCommits()
    const first = group.submit(async () => insert('a'))
    await turn()
    await turn()
    await turn()
    expect({ turned, keys: keys(), commits: count('commit') }).toEqual({ turned: true, keys: ['a'], commits: 1 })
    release()
    await first
    await late
    expect({ keys: keys(), commits: count('commit') }).toEqual({ keys: ['a', 'b'], commits: 2 })
  })

  test('who waits alone for a disk that was quick is not handed over; the first, those who wait together and who comes after a slow one are', async () => {
    const lone = (k: string) => group.submit(async () => insert(k))
    await lone('first')
    expect(handedOver).toEqual(['commit'])
    await lone('alone')
    expect(handedOver).toEqual(['commit'])
    await Promise.all(['a', 'b'].map(lone))
    expect(handedOver).toEqual(['commit', 'commit'])
    beforeExec = (command) => {
      const end = performance.now() + 3
      while (command === 'commit' && performance.now() < end);
    }
    await lone('slow')
    beforeExec = () => {}
    expect(handedOver).toEqual(['commit', 'commit'])
    await lone('after it')
    expect({ handedOver, commits: count('commit') }).toEqual({ handedOver: ['commit', 'commit', 'commit'], commits: 5 })
  })

  test('what need not be durable is committed at once', async () => {
    const release = holdCommits()
    await group.submit(async () => insert('a'), false)
    release()
    expect({ keys: keys(), commits: count('commit') }).toEqual({ keys: ['a'], commits: 1 })
  })

  test('the log is moved every so many groups, one move at a time; no group waits for that, and whoever closes does', async () => {
    let moves = 0
    let end = (_how: 'moved' | 'failed') => {}
    const moveLog = () => {
      moves += 1
      return new Promise<void>((resolve, reject) => {
        end = (how) => (how === 'moved' ? resolve() : reject(new Error('disk I/O error')))
      })
    }
    group = createGroupCommit(database, { busyTimeout: 0, jitter: () => 0, moveLog })
    const write = async (groups: number) => {
      for (let each = 0; each < groups; each += 1) await group.submit(async () => insert(`${keys().length}`), false)
    }
    await write(31)
    expect(moves).toBe(0)
    await write(1)
    expect(moves).toBe(1)
    await write(64)
    expect({ moves, keys: keys().length }).toEqual({ moves: 1, keys: 96 })
    let isIdle = false
    const idle = group.idle().then(() => {
      isIdle = true
    })
    await turn()
    expect(isIdle).toBe(false)
    end('failed')
    await idle
    await write(32)
    expect(moves).toBe(2)
    end('moved')
    await group.idle()
  })

  test('one alone is one transaction', async () => {
    await group.submit(async () => insert('a'))
    expect(commands).toEqual(['begin immediate', 'commit'])
  })

  test('the first that fails takes back the whole transaction, and those behind it have one of their own', async () => {
    const outcomes = await Promise.allSettled([
      group.submit(async () => {
        insert('a')
        throw new Error('a')
      }),
      group.submit(async () => insert('b')),
      group.submit(async () => insert('c')),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect({ commits: count('commit'), keys: keys() }).toEqual({ commits: 1, keys: ['b', 'c'] })
    expect(commands.slice(0, 3)).toEqual(['begin immediate', 'rollback', 'begin immediate'])
  })

  test('those that wait together commit together, up to the bound', async () => {
    await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((k) => group.submit(async () => insert(k))))
    expect({ commits: count('commit'), keys: keys() }).toEqual({ commits: 2, keys: ['a', 'b', 'c', 'd', 'e', 'f'] })
  })

  test('those that arrive by themselves in one turn of the loop commit together', async () => {
    const arrive = (k: string) =>
      new Promise<void>((resolve, reject) => {
        // Each in a callback of its own, as requests are.
        setImmediate(() => group.submit(async () => insert(k)).then(resolve, reject))
      })
    await Promise.all(['a', 'b', 'c'].map(arrive))
    expect({ commits: count('commit'), keys: keys() }).toEqual({ commits: 1, keys: ['a', 'b', 'c'] })
  })

  test('one that arrives while the group runs is taken in', async () => {
    let late: Promise<void> | undefined
    await group.submit(async () => {
      insert('a')
      late = group.submit(async () => insert('b'))
      await turn()
    })
    await late
    expect({ commits: count('commit'), keys: keys() }).toEqual({ commits: 1, keys: ['a', 'b'] })
  })

  test('what need not survive a loss of power waits for no disk, and takes nobody along who needs it', async () => {
    let late: Promise<void> | undefined
    const pragmas = () => commands.filter((command) => command.startsWith('pragma'))
    await group.submit(async () => {
      insert('note')
      late = group.submit(async () => insert('payment'))
      await turn()
    }, false)
    expect({ commits: count('commit'), pragmas: pragmas() }).toEqual({
      commits: 1,
      pragmas: ['pragma synchronous = normal'],
    })
    await late
    // A note that waits together with a payment is as durable as that.
    await Promise.all([group.submit(async () => insert('a')), group.submit(async () => insert('b'), false)])
    expect({ commits: count('commit'), pragmas: pragmas() }).toEqual({
      commits: 3,
      pragmas: ['pragma synchronous = normal', 'pragma synchronous = full'],
    })
  })

  test('nobody hears before the commit, neither who won nor who lost by it', async () => {
    const heard: string[] = []
    const note = (what: string) => () => void heard.push(`${what} after ${commands.at(-1)}`)
    await Promise.all([
      group.submit(async () => insert('a')).then(note('won')),
      group.submit(async () => insert('a')).catch(note('lost')),
      group.submit(() => turn().then(() => insert('b'))).then(note('won')),
    ])
    expect(heard).toEqual(['won after commit', 'lost after commit', 'won after commit'])
  })

  test('one that fails takes back only what it wrote', async () => {
    const outcomes = await Promise.allSettled([
      group.submit(async () => insert('a')),
      group.submit(async () => {
        insert('b')
        await turn()
        throw new Error('b')
      }),
      group.submit(async () => insert('c')),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect({ commits: count('commit'), keys: keys() }).toEqual({ commits: 1, keys: ['a', 'c'] })
  })

  test('when one loses the whole transaction, the others go again without it', async () => {
    const runs = { a: 0, culprit: 0, c: 0 }
    const outcomes = await Promise.allSettled([
      group.submit(async () => {
        runs.a++
        insert('a')
      }),
      group.submit(async () => {
        runs.culprit++
        database.exec('rollback')
        throw new Error('culprit')
      }),
      group.submit(async () => {
        runs.c++
        insert('c')
      }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect({ runs, keys: keys() }).toEqual({ runs: { a: 2, culprit: 1, c: 1 }, keys: ['a', 'c'] })
  })

  test('a constraint that is checked at the commit hits only whoever broke it', async () => {
    const outcomes = await Promise.allSettled([
      group.submit(async () => insert('a')),
      group.submit(async () => insert('orphan', 'nobody')),
      group.submit(async () => insert('child', 'a')),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(keys()).toEqual(['a', 'child'])
    commands.length = 0
    await Promise.all(['x', 'y'].map((k) => group.submit(async () => insert(k))))
    expect(count('commit')).toBe(1)
  })

  test('a commit that breaks is an unknown end for all of it, and the next group is served', async () => {
    beforeExec = (command) => {
      if (command !== 'commit') return
      beforeExec = () => {}
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_FSYNC' })
    }
    const outcomes = await Promise.allSettled(['a', 'b'].map((k) => group.submit(async () => insert(k))))
    const unknown = { code: 'store_unavailable', context: { reason: 'io', committed: 'unknown' } }
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: unknown },
      { status: 'rejected', reason: unknown },
    ])
    await group.submit(async () => insert('c'))
    await group.idle()
    expect(keys()).toEqual(['c'])
  })
})
