import { createInterface } from 'node:readline'

/**
 * Answers the kit line by line. `act` gets what is asked and resolves with the status and body of the answer; what it
 * throws before a second request is a refusal to pay.
 */
export function answer(name, act) {
  const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const { seq, cmd, ...asked } = JSON.parse(line)
    if (cmd === 'hello') return say({ seq, ok: { name } })
    try {
      say({ seq, ok: await act(asked) })
    } catch (error) {
      say({ seq, refused: { code: error?.message ?? String(error) } })
    }
  })
}

/** What is given to `fetch`. */
export const initOf = ({ method, headers, body }) => ({
  method,
  ...(headers === undefined ? {} : { headers }),
  ...(body === undefined ? {} : { body }),
})

/** The status and body of a `Response`. */
export const answered = async (response) => ({ status: response.status, body: await response.text() })
