import type { Command } from 'commander'
import { exitCodes } from '../terminal/exit.js'
import type { Io } from '../terminal/io.js'

/** Adds what `groat facilitator` takes, and what it does besides serving. */
export function addFacilitator(
  facilitator: Command,
  { version, io, finish }: { readonly version: string; readonly io: Io; readonly finish: (exitCode: number) => void },
): void {
  facilitator
    .description('verify and settle payments for sellers')
    .argument('[file]', 'YAML configuration')
    .option('--check', 'read the configuration and stop')
    .option('--schema', 'print the JSON Schema of the configuration, for editors')
    .option('--json', 'log as JSON lines')
    .action(async (file: string | undefined, { check, schema, json }) => {
      const { printFacilitatorSchema, runFacilitator } = await import('./facilitator.js')
      if (schema) return finish(printFacilitatorSchema(io))
      if (file !== undefined) return finish(await runFacilitator(file, { check, json, version }, io))
      io.say('groat facilitator FILE.yaml (groat facilitator --help shows what there is)')
      finish(exitCodes.usage)
    })
  const sub = (name: string, description: string) =>
    facilitator.command(name).description(description).option('--json', 'JSON on standard output')
  // The option --json is also one of the command above, which takes it first.
  sub('key', 'make an API key for a tenant, or a token for the admin listener, and the hash of it for the file').action(
    async (_, made: Command) => finish((await import('./facilitator.js')).makeKey(made.optsWithGlobals(), io)),
  )
  sub('secret', 'make a secret for an endpoint of webhooks').action(async (_, made: Command) =>
    finish((await import('./facilitator.js')).makeSecret(made.optsWithGlobals(), io)),
  )
  sub('webhooks', 'what waits to be told, and what was given up')
    .argument('<file>', 'YAML configuration')
    .option('--retry', 'send again what was given up')
    .action(async (file: string, _, made: Command) => {
      const { runWebhooks } = await import('./webhooks.js')
      finish(await runWebhooks(file, made.optsWithGlobals(), io))
    })
  sub('audit', 'whether a journal is whole, and the chains say the same')
    .argument('<file>', 'YAML configuration')
    .option('--offline', 'ask no chain')
    .option('--archives [files...]', 'archives, the oldest first: they have to end where the journal begins')
    .action(async (file: string, _, made: Command) => {
      const { runAudit } = await import('./audit.js')
      finish(await runAudit(file, made.optsWithGlobals(), io))
    })
  sub('hide', 'take a place off the catalogue, also what is listed there later')
    .argument('<file>', 'YAML configuration')
    .argument('<url>', 'the resource of its listings')
    .option('--reason <text>', 'shown to whoever asks why it is not listed')
    .option('--pay-to <account>', 'only what is paid to that account')
    .option('--undo', 'put it back')
    .action(async (file: string, url: string, _, made: Command) => {
      const { runHide } = await import('./hide.js')
      finish(await runHide(file, url, made.optsWithGlobals(), io))
    })
  sub('archive', 'move payments that ended long ago into a file of JSON lines')
    .argument('<file>', 'YAML configuration')
    .argument('<archive>', 'a new file')
    .option('--days <n>', 'days since they ended, 90 unless told')
    .action(async (file: string, archive: string, _, made: Command) => {
      const { runArchive } = await import('./archive.js')
      finish(await runArchive(file, archive, made.optsWithGlobals(), io))
    })
}
