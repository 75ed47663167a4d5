import { multicall3Runtime } from '../generated/multicall3.js'
import { evmAccounts } from './accounts.js'
import { placeContracts } from './contracts.js'
import type { JsonRpc, RpcRequest } from './json-rpc.js'
import { multicall3Address } from './multicall3.js'
import { quantity } from './quantity.js'
import { usdcAddress, usdcBalanceSlot, usdcCode, usdcStorage, usdcSupplySlot, word } from './usdc.js'

/**
 * Writes contracts, gas money and token balances straight into the state: no transactions, so it takes milliseconds
 * and is the same every time. On a node that was used before it resets the accounts and leaves the rest alone.
 */
export async function placeGenesis(rpc: JsonRpc, chainId: number): Promise<void> {
  const before = await tokenState(rpc)
  const after = evmAccounts.map(({ role }) => (role.startsWith('payer') ? payerFunds : 0n))
  const supply = before.supply + sum(after) - sum(before.balances)

  const code = [...usdcCode, [multicall3Address, multicall3Runtime] as const]
  const storage = [
    ...usdcStorage(chainId, issuer),
    [usdcSupplySlot, word(supply)] as const,
    ...evmAccounts.map(({ address }, i) => [usdcBalanceSlot(address), word(after[i] ?? 0n)] as const),
  ]
  await rpc.batch([
    ['anvil_setLoggingEnabled', false],
    ['anvil_impersonateAccount', issuer],
    ...code.map(([address, runtime]): RpcRequest => ['anvil_setCode', address, runtime]),
    ...storage.map(([slot, value]): RpcRequest => ['anvil_setStorageAt', usdcAddress, slot, value]),
    ...evmAccounts.flatMap(({ address }): RpcRequest[] => [
      ['anvil_setBalance', address, quantity(gasFunds)],
      ['anvil_setCode', address, '0x'],
    ]),
  ])
  await placeContracts(rpc)
  // A call at the genesis block sees a timestamp of 1, and every authorization as not yet valid.
  await rpc.call('anvil_mine', '0x1')
}

const payerFunds = 1_000_000_000n // 1,000 USDC in atomic units
const gasFunds = 100n * 10n ** 18n // 100 ETH in wei
const issuer = evmAccounts[9].address

/** All zero on a fresh chain. */
async function tokenState(rpc: JsonRpc): Promise<{ supply: bigint; balances: bigint[] }> {
  const slots = [usdcSupplySlot, ...evmAccounts.map(({ address }) => usdcBalanceSlot(address))]
  const words = await rpc.batch(slots.map((slot) => ['eth_getStorageAt', usdcAddress, slot, 'latest']))
  const [supply = 0n, ...balances] = words.map((value) => BigInt.asUintN(255, BigInt(String(value))))
  return { supply, balances }
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n)
}
