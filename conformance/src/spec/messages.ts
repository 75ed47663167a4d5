import { Ajv2020 } from 'ajv/dist/2020.js'
import { fail } from '../model/finding.js'
import { schemaOf } from './requirements.js'

const ajv = new Ajv2020({ strict: false, allErrors: false })
const known = new Map<string, ReturnType<typeof ajv.compile>>()

/** Fails unless the message has the form that its schema gives it, `v2/SettleResponse` for one. */
export function expectMessage(schema: string, message: unknown): void {
  const why = messageProblem(schema, message)
  if (why !== undefined) fail(`the ${schema.split('/')[1]} breaks its schema ${schema}`, 'no violation', why)
}

/** What is wrong with a message, or undefined. */
export function messageProblem(schema: string, message: unknown): string | undefined {
  const validate = known.get(schema) ?? ajv.compile(schemaOf(schema))
  known.set(schema, validate)
  if (validate(message)) return undefined
  const [first] = validate.errors ?? []
  return `${first?.instancePath || '/'} ${first?.message ?? 'is wrong'}`
}
