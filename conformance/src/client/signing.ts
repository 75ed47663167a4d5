import type { Hex } from 'viem'
import { usdcName } from '../chain/evm.js'
import { isObject } from '../http/exchange.js'
import type { Check } from '../model/check.js'
import { expectSame, expectThat, fail } from '../model/finding.js'
import { feePayer } from '../server/scripted-facilitator.js'
import { type Authorization, signerOf } from '../wire/eip3009.js'
import { type Decoded, decodeTransaction, isSignedBy, programs, tokenAccountOf } from '../wire/solana.js'
import { clientCheck } from './choosing.js'
import { type ClientStage, expectNoPayment, thePayment } from './stage.js'

type ClientCheck = Check<ClientStage>

const evm = (id: string, title: string, run: ClientCheck['run']) => clientCheck(id, title, run, { families: ['evm'] })
const svm = (id: string, title: string, run: ClientCheck['run']) => clientCheck(id, title, run, { families: ['svm'] })

type Signed = { readonly authorization: Authorization; readonly signature: Hex }

/** Has the client pay an offer, and returns what it signed. */
async function signed(stage: ClientStage, offer = stage.offer()): Promise<Signed> {
  const server = await stage.sell([offer])
  const { payload } = thePayment(server, await stage.fetch(`${server.url}/paid`))
  if (!isObject(payload) || !isObject(payload.authorization))
    fail('the payload has no authorization', 'an object', payload)
  // The checks look at every member of it.
  return payload as unknown as Signed
}

async function transaction(stage: ClientStage, offer = stage.offer()): Promise<Decoded & { readonly base64: string }> {
  const server = await stage.sell([offer])
  const { payload } = thePayment(server, await stage.fetch(`${server.url}/paid`))
  const base64 = isObject(payload) ? payload.transaction : undefined
  const decoded = typeof base64 === 'string' ? decodeTransaction(base64) : undefined
  if (decoded === undefined) fail('the transaction cannot be decoded', 'base64 of a transaction', payload)
  return { ...decoded, base64: String(base64) }
}

const seconds = () => Math.floor(Date.now() / 1000)

/** What a client signs. */
export const signingChecks: readonly ClientCheck[] = [
  evm('EVM-EXACT-011/members', 'the authorization has six members, each as text', async (stage) => {
    const { authorization } = await signed(stage)
    for (const name of ['from', 'to', 'value', 'validAfter', 'validBefore', 'nonce'] as const) {
      expectSame(`the type of ${name}`, 'string', typeof authorization[name])
    }
    expectSame('from', stage.wallet.address.toLowerCase(), authorization.from.toLowerCase())
  }),
  evm('EVM-EXACT-012/to', '`to` is the recipient of the offer', async (stage) => {
    const payTo = await stage.rail.recipient()
    expectSame('to', payTo.toLowerCase(), (await signed(stage, stage.offer({ payTo }))).authorization.to.toLowerCase())
  }),
  evm('EVM-EXACT-013/value', '`value` is the amount of the offer', async (stage) => {
    for (const amount of ['1', '12345', '100000']) {
      expectSame('value', amount, (await signed(stage, stage.offer({ amount }))).authorization.value)
    }
  }),
  evm('EVM-EXACT-014/nonce', '`nonce` is drawn anew', async (stage) => {
    const nonces = [await signed(stage), await signed(stage)].map(({ authorization }) => authorization.nonce)
    expectThat(nonces[0] !== nonces[1], 'two payments have one nonce', undefined, nonces[0])
    for (const nonce of nonces) {
      expectThat(new Set(nonce.slice(2).match(/../g)).size > 8, 'the nonce is not random', '32 random bytes', nonce)
    }
  }),
  evm('EVM-EXACT-015/valid-before', '`validBefore` is at most now and maxTimeoutSeconds', async (stage) => {
    const offer = stage.offer({ maxTimeoutSeconds: 90 })
    const { authorization } = await signed(stage, offer)
    const left = Number(authorization.validBefore) - seconds()
    expectThat(left > 0 && left <= 92, 'seconds until validBefore', '1 to 90', left)
  }),
  evm('EVM-EXACT-016/valid-after', '`validAfter` lies before the present', async (stage) => {
    const { authorization } = await signed(stage)
    expectThat(Number(authorization.validAfter) < seconds(), 'validAfter', 'before now', authorization.validAfter)
  }),
  evm('EVM-EXACT-017/grammar', 'integers are decimal text', async (stage) => {
    const { authorization } = await signed(stage)
    for (const name of ['value', 'validAfter', 'validBefore'] as const) {
      expectThat(/^(0|[1-9][0-9]{0,77})$/.test(authorization[name]), name, 'decimal text', authorization[name])
    }
  }),
  evm('EVM-EXACT-018/nonce', '`nonce` is 0x and 64 digits', async (stage) => {
    const { nonce } = (await signed(stage)).authorization
    expectThat(/^0x[0-9a-fA-F]{64}$/.test(nonce), 'nonce', '0x and 64 digits', nonce)
  }),
  evm('EVM-EXACT-019/signature', 'the signature has 65 bytes, a lower s, and a v of 27 or 28', async (stage) => {
    const { signature } = await signed(stage)
    expectThat(/^0x[0-9a-f]{128}1[bc]$/i.test(signature), 'signature', '65 bytes that end with 1b or 1c', signature)
    const half = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
    expectThat(BigInt(`0x${signature.slice(66, 130)}`) <= half, 's is in the upper half', undefined, signature)
  }),
  evm('EVM-EXACT-020/domain', 'the domain is that of the offer, its network and its asset', async (stage) => {
    await expectSigner(stage, await signed(stage))
  }),
  evm('EVM-EXACT-021/type', 'what is signed is a TransferWithAuthorization', async (stage) => {
    await expectSigner(stage, await signed(stage, stage.offer({ amount: '777' })))
  }),
  evm(
    'CLI-005/hostile-extra',
    'members of `extra` that look like the domain or the message change nothing',
    async (stage) => {
      const evil = '0x000000000000000000000000000000000000dEaD'
      const hostile = {
        verifyingContract: evil,
        chainId: 1,
        to: evil,
        value: '1',
        salt: `0x${'11'.repeat(32)}`,
        primaryType: 'Permit',
      }
      const server = await stage.sell([stage.offer({ extra: { ...usdcName, ...hostile } })])
      await stage.fetch(`${server.url}/paid`)
      const payload = server.payments()[0]?.payment?.payload
      // Not to pay at all is careful too.
      if (isObject(payload)) await expectSigner(stage, payload as unknown as Signed)
    },
  ),
  evm('EVM-EXACT-005/method', 'an offer without a transfer method is paid by EIP-3009', async (stage) => {
    const { authorization } = await signed(stage)
    expectThat(authorization.nonce !== undefined, 'the authorization is none of EIP-3009', undefined, authorization)
  }),
  evm('EVM-EXACT-006/unknown-method', 'an offer of an unknown transfer method is skipped', async (stage) => {
    const server = await stage.sell([stage.offer({ extra: { ...usdcName, assetTransferMethod: 'nosuch' } })])
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, 'the transfer method is unknown')
  }),
  evm('EVM-EXACT-007/other-domain', 'an offer whose domain is not the one of the token is refused', async (stage) => {
    const server = await stage.sell([stage.offer({ extra: { name: 'Another Coin', version: '9' } })])
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, 'the domain is not that of the token')
  }),
  evm('CLI-007/lifetime', 'no authorization lives for years', async (stage) => {
    const server = await stage.sell([stage.offer({ maxTimeoutSeconds: 315_360_000 })])
    await stage.fetch(`${server.url}/paid`)
    const payload = server.payments()[0]?.payment?.payload
    const { validBefore } = isObject(payload) && isObject(payload.authorization) ? payload.authorization : {}
    if (validBefore === undefined) return
    expectThat(
      Number(validBefore) - seconds() <= 86_400,
      'an authorization lives longer than a day',
      '86400 seconds',
      validBefore,
    )
  }),
  svm('SVM-EXACT-010/fee-payer', 'the fee payer of the offer is the first account', async (stage) => {
    expectSame('the first account', feePayer, (await transaction(stage)).accounts[0])
  }),
  svm('SVM-EXACT-011/order', 'the instructions are in their order', async (stage) => {
    const { instructions } = await transaction(stage)
    const kinds = instructions
      .slice(0, 4)
      .map(({ program, data }) => [program, program === programs.memo ? '' : data[0]])
    expectSame(
      'programs and first bytes',
      [
        [programs.computeBudget, 2],
        [programs.computeBudget, 3],
        [programs.token, 12],
        [programs.memo, ''],
      ],
      kinds,
    )
  }),
  svm(
    'SVM-EXACT-012/transfer',
    'the transfer is of the amount, to the token account of the recipient',
    async (stage) => {
      const payTo = await stage.rail.recipient()
      const { instructions } = await transaction(stage, stage.offer({ payTo, amount: '12345' }))
      const { accounts = [], data = new Uint8Array() } = instructions[2] ?? {}
      const { asset, address } = { asset: stage.rail.asset, address: stage.wallet.address }
      expectSame(
        'the accounts',
        [tokenAccountOf(address, asset), asset, tokenAccountOf(payTo, asset), address],
        accounts,
      )
      expectSame('amount and decimals', ['12345', 6], [Buffer.from(data).readBigUInt64LE(1).toString(), data[9]])
    },
  ),
  svm('SVM-EXACT-014/memo', 'the memo is the one of the offer, or random', async (stage) => {
    const memo = async (extra: object) => {
      const { instructions } = await transaction(stage, stage.offer({ extra: { feePayer, ...extra } }))
      const memos = instructions.filter(({ program }) => program === programs.memo)
      expectSame('the number of memos', 1, memos.length)
      return Buffer.from(memos[0]?.data ?? []).toString()
    }
    expectSame('the memo', 'Bestellung 4711 ü', await memo({ memo: 'Bestellung 4711 ü' }))
    const [one, two] = [await memo({}), await memo({})]
    expectThat(one !== two && /^[0-9a-f]{32}$/.test(one), 'the memo without one in the offer', '32 random digits', [
      one,
      two,
    ])
  }),
  svm('SVM-EXACT-015/two-messages', 'two payments for one memo are two messages', async (stage) => {
    const offer = stage.offer({ extra: { feePayer, memo: 'the same' } })
    const [one, two] = [await transaction(stage, offer), await transaction(stage, offer)]
    expectThat(!Buffer.from(one.message).equals(two.message), 'two payments are one message')
  }),
  svm('SVM-EXACT-016/own-fee', 'a transaction whose fee it would pay itself is not signed', async (stage) => {
    const server = await stage.sell([stage.offer({ extra: { feePayer: stage.wallet.address } })])
    await stage.fetch(`${server.url}/paid`)
    expectNoPayment(server, 'the fee payer is the client itself')
  }),
  svm('SVM-EXACT-019/form', 'the transaction is at most 1232 bytes, with zeros for the fee payer', async (stage) => {
    const found = await transaction(stage)
    const bytes = Buffer.from(found.base64, 'base64')
    expectSame('the base64', bytes.toString('base64'), found.base64)
    expectThat(bytes.length <= 1_232, 'the size', 'at most 1232', bytes.length)
    expectThat(found.signatures[0]?.every((byte) => byte === 0) === true, 'the slot of the fee payer is not zero')
    expectThat(isSignedBy(found, stage.wallet.address), 'the wallet did not sign the message')
  }),
]

async function expectSigner(stage: ClientStage, { authorization, signature }: Signed): Promise<void> {
  const chainId = Number(stage.rail.network.split(':')[1])
  const domain = { ...usdcName, chainId, verifyingContract: stage.rail.asset }
  const signer = await signerOf(domain, authorization, signature)
  expectSame('who signed, under the domain of the token', stage.wallet.address.toLowerCase(), signer?.toLowerCase())
}
