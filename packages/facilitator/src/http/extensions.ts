import { type ExtensionFacilitator, encodeBase64Text, type JsonObject, type ObservedPayment } from '@groat/core'
import type { ReportFault } from '../fault.js'

/** The header in which extensions answer the resource server. */
export const EXTENSION_RESPONSES = 'extension-responses'

/** Milliseconds for which one extension may look at a payment before its caller is answered without it. */
const PATIENCE_MS = 1_000

/**
 * What extensions say of a payment, as the header's value; `undefined`: nothing. Only those whose key the payment names are asked, and what goes wrong with them is a
 * fault and no part of the answer (EXT-007).
 */
export async function observed(
  halves: readonly ExtensionFacilitator[],
  seen: ObservedPayment,
  report: ReportFault,
): Promise<string | undefined> {
  const { extensions = {} } = seen.payment
  const named = halves.filter(({ extension }) => Object.hasOwn(extensions, extension.key))
  if (named.length === 0) return undefined
  const said = await Promise.all(
    named.map(async (half) => [half.extension.key, await ask(half, seen, report)] as const),
  )
  const answers = said.filter(([, answer]) => answer !== undefined)
  return answers.length === 0 ? undefined : encodeBase64Text(JSON.stringify(Object.fromEntries(answers)))
}

async function ask(
  half: ExtensionFacilitator,
  seen: ObservedPayment,
  report: ReportFault,
): Promise<JsonObject | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PATIENCE_MS)
  })
  const looking = (async () => half.observe(seen))().catch((error: unknown) => {
    report(error, { during: 'http' })
    return undefined
  })
  const answer = await Promise.race([looking, late])
  clearTimeout(timer)
  return answer
}
