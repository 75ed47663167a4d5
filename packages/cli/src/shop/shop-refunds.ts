import { type Facilitator, network, networkFamily, type SchemeClient, type TransferReader } from '@groat/core'
import { exactEvm as paysEvm, privateKeyAccount } from '@groat/evm/exact/client'
import { exactEvm } from '@groat/evm/exact/server'
import { createEvmTransfers } from '@groat/evm/transfers'
import { contractWallets } from '@groat/evm/wallets'
import { type RefundDesk, type RefundRequests, refundRequests } from '@groat/extensions/refund/server'
import type { Ledger } from '@groat/server/ledger'
import { createRefunds, type Refunds } from '@groat/server/refunds'
import { exactSvm as paysSvm, secretKeyAccount } from '@groat/svm/exact/client'
import { exactSvm } from '@groat/svm/exact/server'
import { createSvmTransfers } from '@groat/svm/transfers'
import type { BooksConfig, RefundsConfig, ShopConfig } from '../config/shop-config.js'

/** Opens the refunds of a shop, paid by keys of their own. Throws `X402Error` for a price or a key that is none. */
export async function openRefunds(
  ledger: Ledger,
  facilitator: Facilitator,
  { evmKey, svmKey, approveAbove }: RefundsConfig,
  { rpc }: BooksConfig,
): Promise<Refunds> {
  const pays: SchemeClient[] = []
  if (evmKey !== undefined) pays.push(paysEvm({ account: privateKeyAccount(evmKey) }))
  if (svmKey !== undefined) pays.push(paysSvm({ account: secretKeyAccount(svmKey), rpc: solanaNodes(rpc) }))
  return createRefunds({
    ledger,
    facilitator,
    pays,
    sells: [exactEvm, exactSvm],
    readers: readersOf(rpc),
    ...(approveAbove === undefined ? {} : { approveAbove }),
  })
}

/** What payers ask for their money back with; without refunds, for a file that is only looked at. `undefined`: the shop takes no such requests. */
export function openRefundRequests(
  refunds: RefundDesk | undefined,
  { refunds: said, origin, books }: Pick<ShopConfig, 'refunds' | 'origin' | 'books'>,
): RefundRequests | undefined {
  if (said?.requests === undefined || origin === undefined) return undefined
  const nodes = Object.entries(books.rpc)
    .map(([name, url]) => [network(name), url] as const)
    .filter(([id]) => networkFamily(id) === 'eip155')
  const wallets = nodes.length > 0 ? { wallets: contractWallets(Object.fromEntries(nodes)) } : {}
  return refundRequests({ refunds: refunds ?? NOBODY, origin, ...said.requests, ...wallets })
}

const NOBODY: RefundDesk = {
  payments: async () => [],
  ask: async () => ({ ok: false, code: 'refund_not_found' }),
  get: async () => undefined,
}

/** What reads the chains whose nodes the file names. */
export function readersOf(rpc: BooksConfig['rpc']): readonly TransferReader[] {
  return Object.entries(rpc).map(([name, url]) => {
    const id = network(name)
    return networkFamily(id) === 'solana'
      ? createSvmTransfers({ network: id, rpc: url })
      : createEvmTransfers({ network: id, rpc: url })
  })
}

function solanaNodes(rpc: BooksConfig['rpc']): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(rpc).filter(([name]) => networkFamily(network(name)) === 'solana'))
}
