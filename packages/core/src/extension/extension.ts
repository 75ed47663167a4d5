import type { Shape } from '../codec/check.js'
import { isJsonObject, type Json, type JsonObject } from '../model/json.js'

/**
 * An extension as data: what it is called, and how its `info` is read. Behaviour comes in three halves, one for each role, each in its own
 * module. Whoever has no half for a key carries its value as it is.
 */
export type ExtensionData<Info = unknown> = {
  /** The protocol's name: `payment-identifier`, … */
  readonly key: string
  /** What a completed `info` looks like. Ours, and fixed: the `schema` that travels beside it is shown to people and never run (EXT-010). */
  readonly info: Shape<Info>
  /** Members of `info` that are made anew for every answer, so that no echo of them is compared. */
  readonly fresh?: readonly string[]
  /** Lists in `info` to which a client may add, and how long they may become. */
  readonly grows?: Readonly<Record<string, number>>
  /** Members of `info` that nobody but the seller may set. */
  readonly owned?: readonly string[]
}

/**
 * Declares an extension. Gives its argument back with its exact type.
 *
 * @example
 * export const paymentIdentifier = defineExtension({ key: 'payment-identifier', info: shapes.IdentifierInfo })
 */
export function defineExtension<Info>(data: ExtensionData<Info>): ExtensionData<Info> {
  return data
}

/** What every half shows of its extension. */
export interface ExtensionHalf {
  readonly extension: ExtensionData
}

/**
 * The `info` of an extension in a message; `undefined` where the message has none of that key, or nothing that is an object.
 *
 * @example
 * extensionInfo(payment.extensions, 'payment-identifier')?.id
 */
export function extensionInfo(extensions: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = ownMember(extensions, key)
  const info = isJsonObject(value) ? ownMember(value, 'info') : undefined
  return isJsonObject(info) ? info : undefined
}

/** A member that is an object's own: keys come from peers. */
export function ownMember(object: JsonObject | undefined, key: string): Json | undefined {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined
}
