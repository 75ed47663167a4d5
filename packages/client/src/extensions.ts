import {
  type AnsweredPayment,
  type BindingContext,
  type ChallengeSource,
  type ExtensionClient,
  isJsonObject,
  type JsonObject,
  type PaymentContext,
  type PaymentRequirements,
} from '@groat/core'
import type { Bound } from './choose.js'
import type { Rule } from './rules.js'

/** Rules, named by the extensions' keys: what a seller insists on and the payer cannot give is refused before anything is signed. */
export function extensionRules(halves: readonly ExtensionClient[] = []): readonly Rule[] {
  return halves
    .filter(({ lacks }) => lacks)
    .map((half) => ({
      name: half.extension.key,
      check(_, { challenge }) {
        const announced = announcedOf(half, challenge.extensions)
        return announced && half.lacks?.(announced)
      },
    }))
}

/**
 * What goes into a payment's `extensions`: the echo of what was announced (CORE-081), with what the payer's own halves put in the place of
 * theirs. A half that throws leaves its key out: it must not stop a payment that its seller would take.
 */
export async function attachExtensions(
  echo: JsonObject | undefined,
  halves: readonly ExtensionClient[],
  bound: Bound | undefined,
  about: PaymentContext,
): Promise<JsonObject | undefined> {
  let extensions = echo
  if (bound !== undefined) extensions = { ...extensions, [bound.key]: bound.value }
  for (const half of halves) {
    const { key } = half.extension
    const announced = announcedOf(half, about.challenge.extensions)
    if (announced === undefined || half.attach === undefined || key === bound?.key) continue
    const { [key]: _, ...others } = extensions ?? {}
    const attached = await quiet(async () => half.attach?.(announced, about))
    extensions = attached === undefined ? others : { ...others, [key]: attached }
  }
  return extensions !== undefined && Object.keys(extensions).length > 0 ? extensions : undefined
}

/** What payments for offers of a challenge draw from, by the first half that ties payments to requests; `undefined`: none does. One that throws ties nothing. */
export function binder(
  halves: readonly ExtensionClient[],
  about: Omit<BindingContext, 'offer'>,
): ((offer: PaymentRequirements) => Promise<Bound | undefined>) | undefined {
  for (const half of halves) {
    const announced = half.bind && announcedOf(half, about.challenge.extensions)
    if (announced === undefined) continue
    return (offer) =>
      quiet(async () => {
        const bound = await half.bind?.(announced, { ...about, offer })
        return bound && { ...bound, key: half.extension.key }
      })
  }
  return undefined
}

/** Headers by which a request may be served without a payment; `undefined`: there are none. */
export async function presentedHeaders(
  halves: readonly ExtensionClient[],
  about: ChallengeSource,
): Promise<Readonly<Record<string, string>> | undefined> {
  for (const half of halves) {
    const announced = announcedOf(half, about.challenge.extensions)
    const headers = announced && (await quiet(async () => half.present?.(announced, about)))
    if (headers !== undefined) return headers
  }
  return undefined
}

/** What is wrong with the extensions of a receipt, by their keys; `undefined`: nothing. */
export async function flawsIn(
  halves: readonly ExtensionClient[],
  about: AnsweredPayment,
): Promise<Readonly<Record<string, string>> | undefined> {
  const flaws: Record<string, string> = {}
  for (const half of halves) {
    const answered = announcedOf(half, about.receipt.extensions)
    if (answered === undefined || half.check === undefined) continue
    // What cannot be checked was not found to be good.
    const flaw = await half.check(answered, about).catch(() => 'unchecked')
    if (flaw !== undefined) flaws[half.extension.key] = flaw
  }
  return Object.keys(flaws).length > 0 ? flaws : undefined
}

function announcedOf({ extension }: ExtensionClient, extensions: JsonObject | undefined): JsonObject | undefined {
  const { key } = extension
  const value = extensions && Object.hasOwn(extensions, key) && extensions[key]
  return isJsonObject(value) ? value : undefined
}

async function quiet<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch {
    return undefined
  }
}
