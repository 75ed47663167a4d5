import { isJsonObject } from '@groat/core'
import { carriedHeaders, type GateAnswer } from '@groat/server/transport'
import { type Meta, metaKeys, without } from '../wire.js'

/** The payment in `_meta`, as the gate reads it, and whether it came under the key of before the specification. */
export function readAsked(meta: Meta | undefined) {
  const payment = meta?.[metaKeys.payment]
  const old = payment === undefined || payment === null ? meta?.[metaKeys.oldPayment] : undefined
  const carried = carriedHeaders({ payment, paymentText: old, entitlement: meta?.[metaKeys.entitlement] })
  return { ...carried, old: typeof old === 'string' }
}

/** What the gate says beside its answer, under the keys by which it was asked. */
export function metaOf({ receipt, entitlement }: GateAnswer, old: boolean): Meta {
  return {
    ...(receipt && { [metaKeys.receipt]: receipt }),
    ...(receipt && old && { [metaKeys.oldReceipt]: receipt }),
    ...(entitlement !== undefined && { [metaKeys.entitlement]: entitlement }),
  }
}

/** The work's result with what the gate says beside it: nobody else speaks under its keys. */
export function withMeta<T extends object>(result: T, meta: Meta): T {
  const { _meta: said, ...rest }: { readonly _meta?: unknown } = result
  const own = without(isJsonObject(said) ? said : undefined, Object.values(metaKeys))
  const all = { ...own, ...meta }
  // The members are those of `T`; `_meta` is optional in it.
  return (Object.keys(all).length === 0 ? rest : { ...rest, _meta: all }) as T
}
