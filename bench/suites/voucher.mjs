import { nobleEngine, parseHex } from '@groat/evm/crypto'
import { loadNativeEngine } from '@groat/evm/crypto/node'
import { computeChannelId } from '@x402/evm/batch-settlement/client'
import { getAddress, recoverTypedDataAddress } from 'viem'
// Not public: these are the very functions that verification calls.
import { channelIdOf } from '../../packages/evm/dist/batch-settlement/channel.js'
import { isVoucherSigned } from '../../packages/evm/dist/batch-settlement/shared.js'
import { roundRobin } from '../lib/round-robin.mjs'
import { printTable } from '../lib/table.mjs'

const config = {
  payer: '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
  payerAuthorizer: '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
  receiver: '0x70997970c51812dc3a010c7d01b50e0d17dc79c8',
  receiverAuthorizer: '0x90f79bf6eb2c4f870365e785982e1f101e93b906',
  token: '0x036cbd53842c5426634e7929541ec2318f3dcf7e',
  withdrawDelay: 900,
  salt: `0x${'0'.repeat(64)}`,
}
const channelId = '0xa4266a906400c4df5de4237ccd253336a2abb969d19ff27b03fa4af923e2e729'
const signature =
  '0x4f62d71a7f9e7a5a3e3cc02a4818d7f63cf4ee03ec8714e2f7aa0c066a02742b36a3d62e76ec505356492f3c36af30fac8ad3dba995c33b7fb6a1224b3e6d88c1b'

/** A voucher to "is it this channel's, and the payer's?": the channel's id, typed-data hash, key recovery, comparison. */
export async function run() {
  const official = async () => {
    if (computeChannelId(config, 'eip155:84532') !== channelId) return false
    const signer = await recoverTypedDataAddress({
      domain: {
        name: 'x402 Batch Settlement',
        version: '1',
        chainId: 84532,
        verifyingContract: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003',
      },
      types: {
        Voucher: [
          { name: 'channelId', type: 'bytes32' },
          { name: 'maxClaimableAmount', type: 'uint128' },
        ],
      },
      primaryType: 'Voucher',
      message: { channelId, maxClaimableAmount: 1000n },
      signature,
    })
    return getAddress(signer) === getAddress(config.payerAuthorizer)
  }
  const payment = {
    chainId: 84532n,
    config,
    voucher: { channelId, maxClaimable: 1000n },
    signature: parseHex(signature),
  }
  const ours = (engine) => () => channelIdOf(engine, 84532n, config) === channelId && isVoucherSigned(engine, payment)
  const engines = [await loadNativeEngine(), nobleEngine].filter(Boolean)
  const cases = Object.fromEntries(engines.map((engine) => [`groat, ${engine.name} engine`, ours(engine)]))
  for (const check of [official, ...Object.values(cases)]) {
    if ((await check()) !== true) throw new Error('the sample voucher is refused')
  }
  printTable('voucher check', await roundRobin({ 'official (viem)': official, ...cases }))
}
