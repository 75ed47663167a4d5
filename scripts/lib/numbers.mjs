import { parseArgs } from 'node:util'

/** What kinds of numbers there are, and how each is written. */
const kinds = {
  count: { form: /^[1-9][0-9]{0,8}$/, expected: 'a whole number, at least 1' },
  seed: { form: /^[0-9]{1,15}$/, expected: 'a whole number' },
  amount: { form: /^(?=.*[1-9])[0-9]{1,9}(?:[.][0-9]{1,3})?$/, expected: 'a number above 0' },
}

/**
 * The numbers that options of a command give it, by the kind of each, and the names beside them; or `{ wrong }`.
 *
 * @example
 * readNumbers(['L3', '--seconds', '20'], { seconds: 'amount' }) // { numbers: { seconds: 20 }, names: ['L3'], help: false }
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
    for (const [name, text] of Object.entries(given)) {
      const { form, expected } = kinds[kindOf[name]]
      if (!form.test(text)) return { wrong: `--${name} ${text}: expected ${expected}` }
    }
    const numbers = Object.fromEntries(Object.entries(given).map(([name, text]) => [name, Number(text)]))
    return { numbers, names: positionals, help }
  } catch (error) {
    return { wrong: error.message }
  }
}
