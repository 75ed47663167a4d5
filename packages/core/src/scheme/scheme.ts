import type * as z from 'zod/mini'

/**
 * A scheme as data: what it is called, on which chains it lives, and what its objects look like on the wire.
 * Behaviour comes in three halves, one for each role, each in its own module, so that a role loads only its own.
 */
export type SchemeData<
  Payload extends z.core.$ZodType = z.core.$ZodType,
  Extra extends z.core.$ZodType = z.core.$ZodType,
> = {
  /** The protocol's name: `exact`, `upto`, … */
  readonly name: string
  /** CAIP-2 namespace: `eip155`, `solana`, or a rail of your own. */
  readonly family: string
  /** Wire schema of `payload`. */
  readonly payload: Payload
  /** Wire schema of an offer's `extra`. */
  readonly extra: Extra
}

/**
 * Declares a scheme. Gives its argument back with its exact type, so that `z.infer` reaches the wire types.
 *
 * @example
 * export const exactEvm = defineScheme({ name: 'exact', family: 'eip155', payload: Eip3009Payload, extra: Eip712Extra })
 */
export function defineScheme<Payload extends z.core.$ZodType, Extra extends z.core.$ZodType>(
  data: SchemeData<Payload, Extra>,
): SchemeData<Payload, Extra> {
  return data
}

/** What every half shows of its scheme. */
export interface SchemeHalf {
  readonly scheme: Pick<SchemeData, 'name' | 'family'>
}

/**
 * The half that serves an offer or a payment: same name, and the network's family.
 *
 * @example
 * findScheme(schemes, offer)?.prepare(offer, context)
 */
export function findScheme<Half extends SchemeHalf>(
  halves: readonly Half[],
  { scheme, network }: { readonly scheme: string; readonly network: string },
): Half | undefined {
  const family = network.slice(0, network.indexOf(':'))
  return halves.find((half) => half.scheme.name === scheme && half.scheme.family === family)
}
