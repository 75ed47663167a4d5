import { isTokenProgram } from '../../bank/token-balances.js'
import type { View } from '../../bank/view.js'
import { tokenAmount } from '../../parsed/token-amount.js'
import type { Address } from '../../wire/address.js'
import { decodeMint, decodeTokenAccount, type Mint } from '../../wire/token-layout.js'
import { accountConfig, writeAccount } from '../account-config.js'
import type { Methods } from '../method.js'
import { respond } from '../node.js'
import { addressAt, asAddress, type Config, configAt, textIn } from '../params.js'
import { invalidParams } from '../rpc-error.js'

/** What accounts hold in tokens. */
export const tokenMethods: Methods = {
  getTokenAccountBalance: (params, node) => {
    const address = addressAt(params, 0)
    const view = node.viewFor(configAt(params, 1))
    const state = view.account(address)
    if (state === undefined) throw invalidParams('Invalid param: could not find account')
    const account = isTokenProgram(state.owner) ? decodeTokenAccount(state.data) : undefined
    if (account === undefined) throw invalidParams('Invalid param: not a Token account')
    return respond(view, tokenAmount(account.amount, mintOf(view, account.mint).decimals))
  },
  getTokenSupply: (params, node) => {
    const address = addressAt(params, 0)
    const view = node.viewFor(configAt(params, 1))
    const { supply, decimals } = mintOf(view, address)
    return respond(view, tokenAmount(supply, decimals))
  },
  getTokenAccountsByOwner: (params, node) => {
    const owner = addressAt(params, 0)
    const config = configAt(params, 2)
    const view = node.viewFor(config)
    const { program, mint } = filterOf(configAt(params, 1), view)
    const how = accountConfig(config, 'binary')
    const found = view.programAccounts(program).flatMap(([pubkey, state]) => {
      const account = decodeTokenAccount(state.data)
      if (account?.owner !== owner || (mint !== undefined && account.mint !== mint)) return []
      return { pubkey, account: writeAccount(state, how, view) }
    })
    return respond(view, found)
  },
}

function filterOf(config: Config, view: View): { readonly program: Address; readonly mint?: Address } {
  const mint = textIn(config, 'mint')
  if (mint !== undefined) {
    mintOf(view, asAddress(mint))
    return { program: view.account(mint)?.owner ?? '', mint }
  }
  const program = textIn(config, 'programId')
  if (program === undefined) throw invalidParams('Invalid params: unknown filter, expected `mint` or `programId`.')
  if (!isTokenProgram(asAddress(program))) throw invalidParams('Invalid param: unrecognized Token program id')
  return { program }
}

function mintOf(view: View, address: Address): Mint {
  const state = view.account(address)
  if (state === undefined) throw invalidParams('Invalid param: could not find mint')
  const mint = isTokenProgram(state.owner) ? decodeMint(state.data) : undefined
  if (mint === undefined) throw invalidParams('Invalid param: not a Token mint')
  return mint
}
