/** Asks one thing of a key; what others ask of the same key meanwhile is done with it. */
export type Together<Asked, Answer> = (key: string, asked: Asked) => Promise<Answer>

/**
 * Lets what waits for the same key be done in one go, as a database commits a group: it begins with what is there, what comes while it runs is the next, and
 * nothing waits for company. `work` answers each, in the order in which they asked.
 *
 * Where `work` throws something that `isShared` does not know for everybody's, each is done alone, so that none fails with another.
 *
 * @example
 * const redeem = together((pid, uses: readonly Use[]) => store.transaction((trx) => takeAll(trx, pid, uses)), X402Error.is)
 */
export function together<Asked, Answer>(
  work: (key: string, asked: readonly Asked[]) => Promise<readonly Answer[]>,
  isShared: (error: unknown) => boolean,
): Together<Asked, Answer> {
  const lanes = new Map<string, Member<Asked, Answer>[]>()

  const finish = async (key: string, members: readonly Member<Asked, Answer>[]): Promise<void> => {
    try {
      const answers = await work(
        key,
        members.map(({ asked }) => asked),
      )
      members.forEach((member, i) => {
        // One answer for each that asked.
        member.resolve(answers[i] as Answer)
      })
    } catch (error) {
      if (members.length === 1 || isShared(error)) for (const { reject } of members) reject(error)
      else for (const member of members) await finish(key, [member])
    }
  }

  const drain = async (key: string, waiting: Member<Asked, Answer>[]): Promise<void> => {
    while (waiting.length > 0) await finish(key, waiting.splice(0, MAX_MEMBERS))
    lanes.delete(key)
  }

  return (key, asked) =>
    new Promise((resolve, reject) => {
      const member = { asked, resolve, reject }
      const lane = lanes.get(key)
      if (lane !== undefined) {
        lane.push(member)
        return
      }
      const fresh = [member]
      lanes.set(key, fresh)
      void drain(key, fresh)
    })
}

type Member<Asked, Answer> = {
  readonly asked: Asked
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/** Bounds what the first waits for the last. */
const MAX_MEMBERS = 256
