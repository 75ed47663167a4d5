import { networkReference } from '@groat/core'
import { exactEvm, type TypedData } from '@groat/evm/exact/client'
import type { Wallet } from './wallet.js'

type Provider = { request(call: { readonly method: string; readonly params?: readonly unknown[] }): Promise<unknown> }

type Announcement = CustomEvent<{
  readonly info: { readonly uuid: string; readonly name: string; readonly icon: string }
  readonly provider: Provider
}>

/** Finds wallets of EVM chains as they announce themselves (EIP-6963). */
export function findEvmWallets(found: (wallet: Wallet) => void): void {
  const known = new Set<string>()
  addEventListener('eip6963:announceProvider', (event) => {
    const { info, provider } = (event as Announcement).detail
    if (known.has(info.uuid)) return
    known.add(info.uuid)
    found({
      name: info.name,
      icon: info.icon,
      serves: (network) => network.startsWith('eip155:'),
      async connect(network) {
        const accounts = await provider.request({ method: 'eth_requestAccounts' })
        const [address] = Array.isArray(accounts) ? accounts : []
        if (typeof address !== 'string') throw new Error('The wallet gave no account.')
        await switchTo(provider, Number(networkReference(network)))
        return exactEvm({
          account: {
            address: address as `0x${string}`,
            signTypedData: async (data) =>
              (await provider.request({
                method: 'eth_signTypedData_v4',
                params: [address, typedText(data)],
              })) as `0x${string}`,
          },
        })
      },
    })
  })
  dispatchEvent(new Event('eip6963:requestProvider'))
}

/** Wallets sign for the chain that they are on. */
async function switchTo(provider: Provider, chainId: number): Promise<void> {
  const wanted = `0x${chainId.toString(16)}`
  if ((await provider.request({ method: 'eth_chainId' })) === wanted) return
  await provider.request({ method: 'wallet_switchEthereumChain', params: [{ chainId: wanted }] })
}

function typedText({ domain, types, primaryType, message }: TypedData): string {
  const fields = [
    { name: 'name', type: 'string' },
    ...(domain.version === undefined ? [] : [{ name: 'version', type: 'string' }]),
    { name: 'chainId', type: 'uint256' },
    { name: 'verifyingContract', type: 'address' },
  ]
  const all = { types: { EIP712Domain: fields, ...types }, domain, primaryType, message }
  return JSON.stringify(all, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
}
