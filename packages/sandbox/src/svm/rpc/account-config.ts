import type { View } from '../bank/view.js'
import { type AccountEncoding, type DataSlice, encodeAccount, mostBase58 } from '../parsed/account.js'
import type { AccountState } from '../vm/vm.js'
import { type Config, choiceIn, integerIn, isConfig } from './params.js'
import { invalidParams, RpcError } from './rpc-error.js'

/** How a call wants accounts to be written. */
export type AccountConfig = { readonly encoding: AccountEncoding; readonly slice?: DataSlice | undefined }

/** Reads `encoding` and `dataSlice`. Throws -32602. */
export function accountConfig(config: Config, byDefault: AccountEncoding): AccountConfig {
  const encoding = choiceIn(config, 'encoding', ['binary', 'base58', 'base64', 'base64+zstd', 'jsonParsed'])
  const slice = config.dataSlice ?? undefined
  return { encoding: encoding ?? byDefault, slice: slice === undefined ? undefined : dataSlice(slice) }
}

/** An account as the call wants it; null when there is none. Throws -32600 when it is too long for base58. */
export function writeAccount(state: AccountState | undefined, { encoding, slice }: AccountConfig, view: View) {
  if (state === undefined) return null
  if (encoding === 'binary' || encoding === 'base58') {
    const length = slice ? Math.min(slice.length, Math.max(0, state.data.length - slice.offset)) : state.data.length
    if (length > mostBase58) {
      const message = `Encoded binary (base 58) data should be less than ${mostBase58} bytes, please use Base64 encoding.`
      throw new RpcError(-32600, message)
    }
  }
  return encodeAccount(state, encoding, view.account, slice)
}

function dataSlice(value: unknown): DataSlice {
  if (!isConfig(value)) throw invalidParams('Invalid params: invalid type, expected struct UiDataSliceConfig.')
  const [offset, length] = [integerIn(value, 'offset'), integerIn(value, 'length')]
  if (offset === undefined || length === undefined)
    throw invalidParams('Invalid params: missing field `offset` or `length`.')
  return { offset, length }
}
