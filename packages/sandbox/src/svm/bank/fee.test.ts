import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { AccountRole, address, generateKeyPairSigner, type Instruction, type KeyPairSigner } from '@solana/kit'
import { getTransferSolInstruction } from '@solana-program/system'
import { expect, test } from 'vitest'
import { memo, useSvm } from '../../../test/svm-kit.js'

const on = useSvm()
const computeBudget = address('ComputeBudget111111111111111111111111111111')
const limit = (units: number): Instruction => ({
  programAddress: computeBudget,
  data: Buffer.from([2, ...littleEndian(units, 4)]),
})
const price = (microlamports: number): Instruction => ({
  programAddress: computeBudget,
  data: Buffer.from([3, ...littleEndian(microlamports, 8)]),
})

/** What the fee is said to be is what the runtime takes: the sandbox computes it, Agave charges it. */
test.each<[string, number, (payer: KeyPairSigner) => Instruction[] | Promise<Instruction[]>]>([
  ['nothing but a signature', 5_000, () => [memo('a')]],
  ['a limit and a price', 10_000, () => [limit(50_000), price(100_000), memo('a')]],
  ['a fee that is rounded up', 5_001, () => [limit(20_000), price(1), memo('a')]],
  [
    'a price without a limit: 200,000 units for a program, 3,000 for a built-in one',
    5_000 + 206,
    (payer) => [price(1_000), memo('a'), pay(payer)],
  ],
  ['more units than there are', 5_000 + 1_400, () => [limit(3_000_000), price(1_000), memo('a')]],
  ['signatures that a precompile checks', 10_000, () => [ed25519('signed')]],
  ['two signers', 10_000, async () => [witness(await generateKeyPairSigner())]],
])('%s', async (_, expected, instructions) => {
  const payer = await on.newcomer()
  const spent = { total: 0n, paid: 0n }
  const list = await instructions(payer)
  spent.paid = list.some(({ programAddress }) => programAddress === address('11111111111111111111111111111111'))
    ? 1_000n
    : 0n
  const signature = await on.run(payer, list)
  spent.total = 1_000_000_000n - (await on.chain.lamports(payer.address))
  const { meta } = await on.call('getTransaction', signature, {
    commitment: 'confirmed',
    maxSupportedTransactionVersion: 0,
  })
  expect({ said: meta.fee, taken: Number(spent.total - spent.paid) }).toEqual({ said: expected, taken: expected })
})

function pay(source: KeyPairSigner): Instruction {
  return getTransferSolInstruction({ source, destination: address(on.chain.account('seller').address), amount: 1_000n })
}

function witness(signer: KeyPairSigner): Instruction {
  const accounts = [{ address: signer.address, role: AccountRole.READONLY_SIGNER, signer }]
  return { ...memo('seen'), accounts }
}

/** One signature, which the precompile verifies: offsets, then key, signature and message. */
function ed25519(text: string): Instruction {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  const message = Buffer.from(text)
  const offsets = [48, 0xffff, 16, 0xffff, 112, message.length, 0xffff].flatMap((value) => littleEndian(value, 2))
  const data = Buffer.concat([Buffer.from([1, 0, ...offsets]), key, sign(null, message, privateKey), message])
  return { programAddress: address('Ed25519SigVerify111111111111111111111111111'), data }
}

function littleEndian(value: number, length: number): number[] {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return [...bytes.subarray(0, length)]
}
