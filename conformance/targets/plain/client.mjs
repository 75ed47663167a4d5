// A paying client in plain Node: viem signs, nothing of ours is loaded. It speaks JSON lines, or is run once for every
// request, with the URL as its last argument.
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { privateKeyToAccount } from 'viem/accounts'

const types = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
}

const usdc = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
const isAddress = (text) => /^0x[0-9a-fA-F]{40}$/.test(text)
const isAmount = (text) => typeof text === 'string' && /^(0|[1-9][0-9]{0,77})$/.test(text)

async function sign({ asset, payTo, amount, network, maxTimeoutSeconds, extra }, key) {
  const account = privateKeyToAccount(key)
  const now = Math.floor(Date.now() / 1000)
  const authorization = {
    from: account.address,
    to: payTo,
    value: amount,
    validAfter: String(now - 60),
    validBefore: String(now + Math.min(maxTimeoutSeconds, 86_400)),
    nonce: `0x${randomBytes(32).toString('hex')}`,
  }
  const domain = {
    name: extra.name,
    version: extra.version,
    chainId: Number(network.slice(7)),
    verifyingContract: asset,
  }
  const primaryType = 'TransferWithAuthorization'
  return {
    signature: await account.signTypedData({ domain, types, primaryType, message: authorization }),
    authorization,
  }
}

async function pay({ request, wallet, policy }) {
  const { url, method, headers = {}, body } = request
  const first = await fetch(url, { method, headers, body })
  const answered = async (response) => ({ ok: { status: response.status, body: await response.text() } })
  const header = first.headers.get('payment-required')
  if (first.status !== 402 || header === null || !/^[A-Za-z0-9+/]+={0,2}$/.test(header)) return answered(first)
  const carriesOne = Object.keys(headers).some((name) => /^(payment-signature|x-payment)$/i.test(name))
  const { x402Version, resource, accepts } = JSON.parse(Buffer.from(header, 'base64').toString())
  const offer = accepts.find(
    ({ scheme, network, asset, payTo, amount, maxTimeoutSeconds, extra = {} }) =>
      scheme === 'exact' &&
      network === 'eip155:84532' &&
      asset === usdc &&
      isAddress(payTo) &&
      Number.isSafeInteger(maxTimeoutSeconds) &&
      isAmount(amount) &&
      BigInt(amount) <= BigInt(policy.maxAtomic) &&
      (extra.paymentFlow ?? 'authorization') === 'authorization' &&
      (extra.assetTransferMethod ?? 'eip3009') === 'eip3009',
  )
  if (x402Version !== 2 || carriesOne || offer === undefined) return { refused: { code: 'no_acceptable_offer' } }
  const payment = { x402Version: 2, resource, accepted: offer, payload: await sign(offer, wallet.eip155) }
  const paid = { ...headers, 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64') }
  return answered(await fetch(first.url, { method, headers: paid, body, redirect: 'manual' }))
}

async function answer({ seq, cmd, ...asked }) {
  if (cmd === 'hello') return { seq, ok: { name: 'plain' } }
  return { seq, ...(await pay(asked).catch((error) => ({ error: { message: error.message } }))) }
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const once = process.env.X402_CONFORM_REQUEST
if (once === undefined) {
  createInterface({ input: process.stdin }).on('line', async (line) => say(await answer(JSON.parse(line))))
} else say(await answer({ cmd: 'fetch', ...JSON.parse(once) }))
