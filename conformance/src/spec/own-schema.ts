import { runInNewContext } from 'node:vm'
import { Ajv2020 } from 'ajv/dist/2020.js'

/** Milliseconds for which one pattern of a target may be tried. */
const patience = 500

/**
 * What a value breaks of a schema that a target has sent, or why that is no schema; undefined when it holds. A pattern that takes for ever holds for nothing.
 *
 * @example
 * ownSchemaProblem({ type: 'object' }, {}) // undefined
 */
export function ownSchemaProblem(schema: object, value: unknown): string | undefined {
  const ajv = new Ajv2020({ strict: false, allErrors: false, logger: false, validateSchema: true, code: { regExp } })
  try {
    const validate = ajv.compile(schema)
    if (validate(value)) return undefined
    const [first] = validate.errors ?? []
    return `${first?.instancePath || '/'} ${first?.message ?? 'is wrong'}`
  } catch (error) {
    return `it is no schema: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Expressions that are tried elsewhere, and no longer than that. */
const regExp = Object.assign(
  (pattern: string, flags: string) => {
    new RegExp(pattern, flags)
    const tried = (text: string): boolean => {
      const found: unknown = runInNewContext(
        'new RegExp(pattern, flags).test(text)',
        { pattern, flags, text },
        { timeout: patience },
      )
      return found === true
    }
    return {
      test: (text: string): boolean => {
        try {
          return tried(text)
        } catch {
          return false
        }
      },
      toString: () => `/${pattern}/${flags}`,
    }
  },
  { code: 'regExp' },
)
