import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createMemoryClaims } from '@groat/server'
import { readShopConfig } from '../config/shop-config.js'
import { createShopApp } from '../shop/shop-app.js'
import { openExtensions } from '../shop/shop-extensions.js'
import { facilitatorOf } from '../shop/shop-facilitator.js'
import { proving } from '../shop/shop-proofs.js'
import { openRefundRequests } from '../shop/shop-refunds.js'
import { CliError, exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'

/** Options of `groat describe`. */
export type DescribeCommand = { readonly out?: string }

/** `groat describe FILE`: the documents that describe a shop, into a folder, or on standard output as one JSON object by path. */
export async function describe(file: string, { out }: DescribeCommand, io: Io): Promise<number> {
  const config = await readShopConfig(file, io.environment)
  if (config.describe === undefined) {
    throw new CliError('usage', `${file} does not describe itself`, 'Give it `describe: { title: … }` and an `origin`.')
  }
  const memory = createMemoryClaims({ singleProcess: true })
  const claims = config.refunds === undefined ? memory : { ...memory, refund: async () => false }
  const facilitator = proving(facilitatorOf(config), config)
  const extensions = await openExtensions(undefined, config)
  const refundRequests = openRefundRequests(undefined, config)
  const shop = await createShopApp(config, { facilitator, claims, extensions, refundRequests, onEvent: () => {} })
  const documents = await shop.documents()
  if (out === undefined) {
    io.out(`${JSON.stringify(Object.fromEntries(documents.map(({ path, body }) => [path, body])), null, 2)}\n`)
    return exitCodes.ok
  }
  for (const { path, body } of documents) {
    const target = join(out, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, body)
    io.say(target)
  }
  return exitCodes.ok
}
