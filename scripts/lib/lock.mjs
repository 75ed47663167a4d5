import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Does `work` while no other process does what is kept apart by `file`; who comes later waits. What a process has left that is dead is taken over.
 *
 * Every holder has a ticket of its own, `FILE.NUMBER`, which says its process and is never written again: of all living ones the lowest
 * number holds the lock. A ticket is drawn by a link, which fails where the number is taken, and given back where a higher one is there by
 * then, whose holder may not have seen it. A ticket of the dead is removed by its own name, so that nobody removes one of the living.
 */
export async function withLock(file, work, { pid = process.pid, isAlive = isRunning, everyMs = 200, onWait } = {}) {
  mkdirSync(dirname(file), { recursive: true })
  const ticket = draw(file, pid)
  try {
    for (let told = false; !isFirst(file, ticket, isAlive); told = true) {
      if (!told) onWait?.()
      await sleep(everyMs)
    }
    return await work()
  } finally {
    own.delete(nameOf(file, ticket))
    rmSync(nameOf(file, ticket), { force: true })
  }
}

/** Draws the next ticket. Whole from the beginning: what is linked is written already. */
function draw(file, pid) {
  const draft = `${file}.draft-${pid}-${Math.random().toString(36).slice(2)}`
  writeFileSync(draft, String(pid))
  try {
    for (;;) {
      const number = Math.max(0, ...ticketsOf(file)) + 1
      if (!tryLink(draft, nameOf(file, number))) continue
      if (ticketsOf(file).every((other) => other <= number)) {
        own.add(nameOf(file, number))
        return number
      }
      rmSync(nameOf(file, number), { force: true })
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

function tryLink(draft, name) {
  try {
    linkSync(draft, name)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Whether all who stand before a ticket are gone; what the dead have left is cleared away. */
function isFirst(file, ticket, isAlive) {
  return ticketsOf(file)
    .filter((number) => number < ticket)
    .every((number) => {
      if (isHeld(nameOf(file, number), isAlive)) return false
      rmSync(nameOf(file, number), { force: true })
      return true
    })
}

/** In a container a new process may have the number of one that is gone: what this one has not drawn itself is no ticket of its own. */
function isHeld(name, isAlive) {
  const holder = holderOf(name)
  if (holder === process.pid && isAlive === isRunning) return own.has(name)
  return holder !== undefined && isAlive(holder)
}

/** Whether a living process holds the lock, or waits for it. */
export function isLocked(file, { isAlive = isRunning } = {}) {
  return ticketsOf(file).some((number) => isHeld(nameOf(file, number), isAlive))
}

const own = new Set()

function ticketsOf(file) {
  const start = `${basename(file)}.`
  const names = existsSync(dirname(file)) ? readdirSync(dirname(file)) : []
  return names.flatMap((name) => {
    const number = name.startsWith(start) ? name.slice(start.length) : ''
    return /^[1-9][0-9]{0,14}$/.test(number) ? [Number(number)] : []
  })
}

const nameOf = (file, number) => join(dirname(file), `${basename(file)}.${number}`)

function holderOf(name) {
  try {
    // 0 would ask about a whole group.
    return Number(readFileSync(name, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is alive too.
    return error.code === 'EPERM'
  }
}
