import { createWebhookDesk, type DeliveryStanding } from '@groat/facilitator'
import { readJournalPlace, readWebhookHosts } from '../config/facilitator-config.js'
import { counted } from '../terminal/counted.js'
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
    const endpoints = withHosts(await desk.standing(), await readWebhookHosts(file, io.environment))
    if (json) io.out(`${JSON.stringify({ endpoints, dead, revived })}\n`)
    else {
      for (const each of endpoints) io.out(`${lineOf(each, io)}\n`)
      if (endpoints.every(({ waiting }) => waiting === 0)) io.out('nothing waits to be told\n')
      for (const { endpoint, pid, topic, tries, said, at } of retry ? [] : dead) {
        io.out(
          `  ${new Date(at).toISOString()}  ${endpoint}  ${topic}  ${pid}  ${counted(tries, 'try', 'tries')}, the last: ${said}\n`,
        )
      }
      if (revived > 0) io.out(`${revived} ${revived === 1 ? 'is' : 'are'} sent again\n`)
    }
    return endpoints.some((each) => each.dead > 0) ? exitCodes.no : exitCodes.ok
  } finally {
    await store.close()
  }
}

type Standing = DeliveryStanding & { readonly host?: string }

/** All that the file names, and those that it no longer does but something waits for. */
function withHosts(known: readonly DeliveryStanding[], hosts: ReadonlyMap<string, string>): readonly Standing[] {
  const idle = [...hosts.keys()].filter((id) => known.every(({ endpoint }) => endpoint !== id))
  return [...known, ...idle.map((endpoint) => ({ endpoint, waiting: 0, dead: 0 }))].map((each) => {
    const host = hosts.get(each.endpoint)
    return { ...each, ...(host === undefined ? {} : { host }) }
  })
}

function lineOf({ endpoint, host, waiting, dead, next }: Standing, { style }: Io): string {
  const parts = [endpoint, ...(host === undefined ? [] : [host]), `${waiting} waiting`]
  if (dead > 0) parts.push(style.bad(`${dead} given up`))
  if (next !== undefined) {
    parts.push(
      `last answer ${next.said} (${counted(next.tries, 'try', 'tries')}), next try ${new Date(next.at).toISOString()}`,
    )
  }
  return parts.join('  ')
}

/** What was given up, as far as it is listed. */
const MOST = 100
