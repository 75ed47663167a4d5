import { canonicalJson, isJsonObject, type Json, type JsonObject } from '../model/json.js'
import { type Refusal, refuse } from '../model/outcome.js'
import { type ExtensionData, extensionInfo, ownMember } from './extension.js'

/**
 * Holds what a payment echoes against what the challenge announced (CORE-081 to CORE-084): of every key that was announced and is echoed, the
 * announced `info` stands in the echoed one with the same values. Members may be added, lists grow only where the extension says so, keys that
 * were never announced pass, and so does a payment that echoes nothing. `known` says what is particular about an extension. Refuses
 * `extension_echo_mismatch` and names the key.
 *
 * @example
 * checkEcho(payment.extensions, { 'payment-identifier': { info: { required: false }, schema } }, []) // undefined
 */
export function checkEcho(
  echoed: JsonObject | undefined,
  announced: JsonObject | undefined,
  known: readonly ExtensionData[],
): Refusal | undefined {
  for (const key of Object.keys(echoed ?? {})) {
    const was = extensionInfo(announced, key)
    if (was === undefined) continue
    const data = known.find((extension) => extension.key === key)
    const is = extensionInfo(echoed, key)
    if (is === undefined || !isEchoOf(is, was, data)) return refuse('extension_echo_mismatch', key.slice(0, 64))
  }
  return undefined
}

function isEchoOf(is: JsonObject, was: JsonObject, { fresh = [], grows = {}, owned = [] }: Particular = {}): boolean {
  const kept = Object.entries(was).every(([name, value]) => {
    if (value === undefined || fresh.includes(name)) return true
    const now = ownMember(is, name)
    return Object.hasOwn(grows, name) ? isLongerBy(now, value) : contains(now, value)
  })
  const invented = owned.some((name) => ownMember(is, name) !== undefined && ownMember(was, name) === undefined)
  const tooLong = Object.entries(grows).some(([name, most]) => {
    const list = ownMember(is, name)
    return list !== undefined && (!Array.isArray(list) || list.length > most)
  })
  return kept && !invented && !tooLong
}

type Particular = Pick<ExtensionData, 'fresh' | 'grows' | 'owned'>

/** Every entry of `part` is somewhere in `list`. */
function isLongerBy(list: Json | undefined, part: Json): boolean {
  if (!Array.isArray(list) || !Array.isArray(part)) return false
  const entries = new Set(list.map((entry: Json) => canonicalJson(entry)))
  return part.every((entry: Json) => entries.has(canonicalJson(entry)))
}

/** Every member of `part` stands in `whole` with the same value; anything that is not an object is compared as it is. */
function contains(whole: Json | undefined, part: Json): boolean {
  if (!isJsonObject(part))
    return whole === part || (whole !== undefined && canonicalJson(whole) === canonicalJson(part))
  return (
    isJsonObject(whole) &&
    Object.entries(part).every(([name, value]) => value === undefined || contains(ownMember(whole, name), value))
  )
}
