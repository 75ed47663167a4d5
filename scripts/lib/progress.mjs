const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/**
 * Says on stderr what is going on and how long it took: a spinner for a person, two plain lines for a log.
 * stdout stays free for what the program itself prints.
 */
export async function phase(name, work, { out = process.stderr, now = () => performance.now() } = {}) {
  const started = now()
  const elapsed = () => `${((now() - started) / 1000).toFixed(1)} s`
  const tick = out.isTTY ? spin(out, name, elapsed) : plain(out, name)
  try {
    const result = await work()
    tick.stop(`groat: ${name}: done in ${elapsed()}`)
    return result
  } catch (error) {
    tick.stop(`groat: ${name}: failed after ${elapsed()}`)
    throw error
  }
}

/** A failure that was already explained: shown as it is, without a stack. */
export class Failure extends Error {}

/** Runs a script's main function; a `Failure` is a message, anything else keeps its stack. */
export async function main(work) {
  try {
    await work()
  } catch (error) {
    process.stderr.write(`${error instanceof Failure ? error.message : error.stack}\n`)
    process.exitCode = 1
  }
}

function spin(out, name, elapsed) {
  let frame = 0
  const draw = () => out.write(`\r\u001b[2K${frames[frame++ % frames.length]} ${name} ${elapsed()}`)
  draw()
  const timer = setInterval(draw, 100)
  return {
    stop: (line) => {
      clearInterval(timer)
      out.write(`\r\u001b[2K${line}\n`)
    },
  }
}

function plain(out, name) {
  out.write(`groat: ${name} …\n`)
  return { stop: (line) => out.write(`${line}\n`) }
}
