/** So many unanswered while warming up, and it stands still: a nonce was lost, and holds up all that follow it. */
export const STUCK = 16
const TRIES = 3

/**
 * Measures each of `names` in turn, in so many rounds, and says how far that is. `measure(name, anyway)` answers whether it was warm, and so was measured:
 * one that stood still before that has another try; `anyway`: this is the last.
 */
export async function warmRounds(title, { rounds, names, measure }) {
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      console.error(`${title}: round ${round + 1} of ${rounds}, ${name} …`)
      for (let tries = 1; !(await measure(name, tries === TRIES)); tries++) {
        console.error(`${title}: ${name} stood still while it was warmed up; a fresh one …`)
      }
    }
  }
}
