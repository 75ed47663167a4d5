import { nobleEngine, parseHex, recoverAddress } from '@groat/evm/crypto'
import { loadNativeEngine, loadWasmEngine } from '@groat/evm/crypto/node'
import { authorizationTypes } from '@x402/evm'
import { getAddress, recoverTypedDataAddress } from 'viem'
// Not public: this is the very function that verification calls.
import { authorizationDigest } from '../../packages/evm/dist/exact/eip3009.js'
import { roundRobin } from '../lib/round-robin.mjs'
import { samplePayment } from '../lib/sample.mjs'
import { printTable } from '../lib/table.mjs'

const { signature, authorization } = samplePayment.payload
const verifyingContract = samplePayment.accepted.asset
const { from, to, nonce } = authorization
const [value, validAfter, validBefore] = [authorization.value, authorization.validAfter, authorization.validBefore].map(
  BigInt,
)

/** A signed authorization to "is it the payer's?": typed-data hash, key recovery, comparison. */
export async function run() {
  const official = async () => {
    const signer = await recoverTypedDataAddress({
      types: authorizationTypes,
      primaryType: 'TransferWithAuthorization',
      domain: { name: 'USDC', version: '2', chainId: 84532, verifyingContract },
      message: { from: getAddress(from), to: getAddress(to), value, validAfter, validBefore, nonce },
      signature,
    })
    return getAddress(signer) === getAddress(from)
  }
  const lower = (address) => address.toLowerCase()
  const domain = { name: 'USDC', version: '2', chainId: 84532n, verifyingContract: lower(verifyingContract) }
  const message = { from: lower(from), to: lower(to), value, validAfter, validBefore, nonce }
  const bytes = parseHex(signature)
  const ours = (engine) => () =>
    recoverAddress(engine, authorizationDigest(engine, domain, message), bytes) === message.from

  const engines = [await loadNativeEngine(), await loadWasmEngine(), nobleEngine].filter(Boolean)
  const cases = Object.fromEntries(engines.map((engine) => [`groat, ${engine.name} engine`, ours(engine)]))
  for (const check of [official, ...Object.values(cases)]) {
    if ((await check()) !== true) throw new Error('the sample signature is refused')
  }
  printTable('full signature check', await roundRobin({ 'official (viem)': official, ...cases }))
}
