import type { AccountState } from '../../vm/vm.js'
import { parseBase58 } from '../../wire/base58.js'
import { accountConfig, writeAccount } from '../account-config.js'
import type { Methods } from '../method.js'
import { respond } from '../node.js'
import {
  addressAt,
  asAddress,
  type Config,
  configAt,
  flagIn,
  integerAt,
  integerIn,
  isConfig,
  textIn,
  textsAt,
} from '../params.js'
import { invalidParams } from '../rpc-error.js'

/** What accounts hold. */
export const accountMethods: Methods = {
  getBalance: (params, node) => {
    const address = addressAt(params, 0)
    const view = node.viewFor(configAt(params, 1))
    return respond(view, view.account(address)?.lamports ?? 0n)
  },
  getAccountInfo: (params, node) => {
    const address = addressAt(params, 0)
    const config = configAt(params, 1)
    const view = node.viewFor(config)
    return respond(view, writeAccount(view.account(address), accountConfig(config, 'binary'), view))
  },
  getMultipleAccounts: (params, node) => {
    const addresses = textsAt(params, 0, 100).map(asAddress)
    const config = configAt(params, 1)
    const view = node.viewFor(config)
    const how = accountConfig(config, 'base64')
    return respond(
      view,
      addresses.map((address) => writeAccount(view.account(address), how, view)),
    )
  },
  getProgramAccounts: (params, node) => {
    const program = addressAt(params, 0)
    const config = configAt(params, 1)
    const view = node.viewFor(config)
    const filters = filtersOf(config)
    const how = accountConfig(config, 'binary')
    const found = view
      .programAccounts(program)
      .filter(([, state]) => filters.every((filter) => filter(state)))
      .map(([pubkey, state]) => ({ pubkey, account: writeAccount(state, how, view) }))
    return flagIn(config, 'withContext') ? respond(view, found) : found
  },
  getMinimumBalanceForRentExemption: (params, node) => node.bank.rentExemption(integerAt(params, 0)),
}

type Filter = (state: AccountState) => boolean

function filtersOf({ filters = [] }: Config): Filter[] {
  if (!Array.isArray(filters)) throw invalidParams('Invalid params: invalid type, expected a sequence.')
  if (filters.length > 4) throw invalidParams('Too many filters provided; max 4')
  return filters.map(filterOf)
}

function filterOf(value: unknown): Filter {
  if (isConfig(value)) {
    const size = integerIn(value, 'dataSize')
    if (size !== undefined) return ({ data }) => data.length === size
    if (isConfig(value.memcmp)) return memcmp(value.memcmp)
  }
  throw invalidParams('Invalid params: unknown filter, expected `dataSize` or `memcmp`.')
}

function memcmp(config: Config): Filter {
  const offset = integerIn(config, 'offset')
  const text = textIn(config, 'bytes')
  const wanted = text === undefined ? undefined : bytesOf(text, textIn(config, 'encoding'))
  if (offset === undefined || wanted === undefined) throw invalidParams('Invalid param: WrongSize')
  return ({ data }) =>
    offset + wanted.length <= data.length && Buffer.compare(data.subarray(offset, offset + wanted.length), wanted) === 0
}

function bytesOf(text: string, encoding = 'base58'): Uint8Array | undefined {
  return encoding === 'base64' ? Buffer.from(text, 'base64') : parseBase58(text)
}
