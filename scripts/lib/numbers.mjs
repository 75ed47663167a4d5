import { parseArgs } from 'node:util'
import { main } from './progress.mjs'

/** What kinds of numbers there are, and how each is written. */
const kinds = {
  count: { form: /^[1-9][0-9]{0,8}$/, expected: 'a whole number, at least 1' },
  seed: { form: /^[0-9]{1,15}$/, expected: 'a whole number' },
  amount: { form: /^(?=.*[1-9])[0-9]{1,9}(?:[.][0-9]{1,3})?$/, expected: 'a number above 0' },
}

/**
 * The numbers that options of a command give it, by the kind of each, and the names beside them; or `{ wrong }`. Options of the kind `text` are
 * taken as they are, and stand in `texts`.
 *
 * @example
 * readNumbers(['L3', '--seconds', '20'], { seconds: 'amount' }) // { numbers: { seconds: 20 }, texts: {}, names: ['L3'], help: false }
 */
export function readNumbers(args, kindOf) {
  const options = Object.fromEntries(Object.keys(kindOf).map((name) => [name, { type: 'string' }]))
  try {
    const { values, positionals } = parseArgs({
      args: args.filter((arg) => arg !== '--'),
      allowPositionals: true,
      options: { ...options, help: { type: 'boolean' } },
    })
    const { help = false, ...given } = values
    const isText = ([name]) => kindOf[name] === 'text'
    const counts = Object.entries(given).filter((each) => !isText(each))
    for (const [name, text] of counts) {
      const { form, expected } = kinds[kindOf[name]]
      if (!form.test(text)) return { wrong: `--${name} ${text}: expected ${expected}` }
    }
    const numbers = Object.fromEntries(counts.map(([name, text]) => [name, Number(text)]))
    return { numbers, texts: Object.fromEntries(Object.entries(given).filter(isText)), names: positionals, help }
  } catch (error) {
    return { wrong: error.message }
  }
}

/** Runs a script's main function with its numbers and texts; where they are none, or help is asked for, says how it is used. */
export async function mainWith({ usage, args = process.argv.slice(2), kinds: kindOf }, work) {
  const { wrong, names, help, ...given } = readNumbers(args, kindOf)
  if (help) return void process.stdout.write(`${usage}\n`)
  if (wrong === undefined && names.length === 0) return main(() => work(given))
  process.stderr.write(`groat: ${wrong ?? `${names[0]} is no option`}\n\n${usage}\n`)
  process.exitCode = 2
}
