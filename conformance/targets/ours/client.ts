// Our payer, as a target.
import { createPayer } from '@groat/client'
import type { SchemeClient } from '@groat/core'
import { exactEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { exactSvm, secretKeyAccount } from '@groat/svm/exact/client'
import type { ClientAnswer, ClientRequest } from '../../src/index.js'

/** Does what the kit asks, with a payer of its own for every request. */
export async function fetchAsOurs({ request, wallet, policy, rpc }: ClientRequest): Promise<ClientAnswer> {
  const schemes: SchemeClient[] = []
  if (wallet.eip155 !== undefined)
    schemes.push(exactEvm({ account: privateKeyAccount(wallet.eip155 as `0x${string}`) }))
  if (wallet.solana !== undefined) {
    const node = rpc.solana === undefined ? {} : { rpc: rpc.solana }
    schemes.push(exactSvm({ account: secretKeyAccount(wallet.solana), ...node }))
  }
  const payer = createPayer({ schemes, policy: { perPayment: `$${(Number(policy.maxAtomic) / 1e6).toFixed(6)}` } })
  const { url, method, headers, body } = request
  try {
    const init = { method, ...(headers === undefined ? {} : { headers }), ...(body === undefined ? {} : { body }) }
    const response = await payer.fetch(url, init)
    return { ok: { status: response.status, body: await response.text(), paid: payer.receipt(response) !== undefined } }
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (typeof code === 'string') return { refused: { code } }
    return { error: { message: error instanceof Error ? error.message : String(error) } }
  }
}
