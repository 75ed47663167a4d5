import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectThat, fail, notApplicable, show } from '../model/finding.js'
import type { Exchange } from '../model/result.js'
import { jobsOf, type Session } from '../run/session.js'
import { type VectorCase, vectorCases } from '../spec/vectors.js'
import { openLines, patiently, usualAnswerMs } from '../target/lines.js'
import type { LibraryEndpoint, Vector, VectorAnswer } from '../target/manifest.js'

/** Where a library is tested: it is asked for one result at a time. */
export interface LibraryStage {
  ask(vector: Vector): Promise<VectorAnswer>
  note(exchange: Omit<Exchange, 'at'>): void
}

/** Everything that is asked of a library: for each requirement and operation, the vectors of the specification. */
export const libraryChecks: readonly Check<LibraryStage>[] = grouped().map(([id, cases]) => ({
  id,
  role: 'library',
  kind: 'vector',
  title: `${cases[0]?.op} gives what ${cases.length === 1 ? 'the vector says' : `${cases.length} vectors say`}`,
  async run(stage) {
    for (const each of cases) await expectResult(stage, each)
  },
}))

/** Opens a library. Throws `UnreachableError`. */
export async function openLibrary(endpoint: LibraryEndpoint, answerMs = usualAnswerMs): Promise<Session> {
  const { ask, ops, close } = await connect(endpoint, answerMs)
  return {
    close,
    jobs: jobsOf(libraryChecks, [], async (check, _, { note }) => {
      const op = check.id.split('/')[1] ?? ''
      if (ops !== undefined && !ops.includes(op)) notApplicable(`the library has no ${op}`)
      await check.run({ ask, note })
    }),
  }
}

async function connect(endpoint: LibraryEndpoint, answerMs: number) {
  if ('vector' in endpoint) return { ask: endpoint.vector, ops: endpoint.ops, close: async () => {} }
  const lines = await openLines(endpoint, 'library', answerMs)
  const { ops } = lines.hello
  return {
    ask: patiently(async (vector: Vector) => decodeAnswer(await lines.ask({ cmd: 'vector', ...vector })), {
      what: 'library',
      answerMs,
    }),
    ops: Array.isArray(ops) ? ops.map(String) : undefined,
    close: () => lines.close(),
  }
}

function decodeAnswer(value: unknown): VectorAnswer {
  // Looked at here.
  if (isObject(value) && (isObject(value.ok) || isObject(value.skipped))) return value as VectorAnswer
  return fail('the library answers with something else than ok or skipped', '{"ok":{…}}', value)
}

async function expectResult({ ask, note }: LibraryStage, { id, op, input, expect }: VectorCase): Promise<void> {
  const answer = await ask({ op, input })
  note({ who: 'kit → library', method: op, url: id, requestBody: show(input), responseBody: show(answer) })
  if ('skipped' in answer) notApplicable(`the library cannot do this: ${answer.skipped.issue}`)
  const { error, ...members } = expect
  const { ok } = answer
  const codes = error === undefined ? [undefined] : Array.isArray(error) ? error : [error]
  expectThat(codes.includes(ok.error), `the error of ${id}`, codes.join(' or ') || 'none', ok.error)
  for (const [name, value] of Object.entries(members))
    expectThat(canonical(ok[name]) === canonical(value), `${name} of ${id}`, value, ok[name])
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, each) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  ) ?? 'nothing'

function grouped(): readonly (readonly [string, readonly VectorCase[]])[] {
  const groups = new Map<string, VectorCase[]>()
  for (const each of vectorCases()) {
    const id = `${each.requirement}/${each.op}`
    groups.set(id, [...(groups.get(id) ?? []), each])
  }
  return [...groups]
}
