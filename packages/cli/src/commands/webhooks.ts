import { createWebhookDesk } from '@groat/facilitator'
import { readJournalPlace } from '../config/facilitator-config.js'
import { exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'
import { openJournal } from './open-store.js'

/** `groat facilitator webhooks FILE`: how the webhooks stand. Exits 1 when something was given up and is not sent again. */
export async function runWebhooks(
  file: string,
  { retry = false, json = false }: { readonly retry?: boolean; readonly json?: boolean },
  io: Io,
): Promise<number> {
  const target = await readJournalPlace(file, io.environment)
  const store = await openJournal(target)
  try {
    const desk = await createWebhookDesk(store)
    const dead = await desk.dead(MOST)
    const revived = retry ? await desk.revive() : 0
    const endpoints = await desk.standing()
    if (json) io.out(`${JSON.stringify({ endpoints, dead, revived })}\n`)
    else {
      for (const { endpoint, waiting, dead: lost } of endpoints) {
        io.out(`${endpoint}  ${waiting} waiting  ${lost === 0 ? '' : io.style.bad(`${lost} given up`)}\n`)
      }
      if (endpoints.length === 0) io.out('nothing waits to be told\n')
      for (const { endpoint, pid, topic, tries, said, at } of retry ? [] : dead) {
        io.out(`  ${new Date(at).toISOString()}  ${endpoint}  ${topic}  ${pid}  ${tries} tries, the last: ${said}\n`)
      }
      if (revived > 0) io.out(`${revived} are sent again\n`)
    }
    return endpoints.some((each) => each.dead > 0) ? exitCodes.no : exitCodes.ok
  } finally {
    await store.close()
  }
}

/** What was given up, as far as it is listed. */
const MOST = 100
