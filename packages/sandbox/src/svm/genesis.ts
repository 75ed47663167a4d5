import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { svmAccounts } from './accounts.js'
import { programs } from './programs.js'
import { encodeJson } from './rpc/json.js'
import type { AccountState } from './vm/vm.js'
import type { Address } from './wire/address.js'
import { encodeMint, encodeTokenAccount, mintSize, tokenAccountSize } from './wire/token-layout.js'

/** Where USDC is on every sandbox chain: its address on devnet. 6 decimals. */
export const svmUsdcAddress = '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU'

/** Who may mint and freeze USDC here. */
export const issuer = svmAccounts[9]

/** What the chain begins with beside its programs: SOL for everybody, USDC, and its token accounts. */
export function genesisAccounts(): Array<readonly [Address, AccountState]> {
  const supply = BigInt(svmAccounts.filter(isPayer).length) * payerFunds
  const mint = encodeMint({ mintAuthority: issuer.address, supply, decimals: 6, freezeAuthority: issuer.address })
  return [
    [svmUsdcAddress, plainAccount(rentExemption(mintSize), programs.token, mint)],
    ...svmAccounts.flatMap((account): Array<readonly [Address, AccountState]> => {
      const tokens = encodeTokenAccount(svmUsdcAddress, account.address, isPayer(account) ? payerFunds : 0n)
      return [
        [account.address, plainAccount(feeFunds, programs.system)],
        [account.usdcAccount, plainAccount(rentExemption(tokenAccountSize), programs.token, tokens)],
      ]
    }),
  ]
}

/**
 * Writes what every sandbox chain begins with, one file per account, so that a validator can begin with it too:
 * `solana-test-validator --account-dir FOLDER`. Then `GROAT_SVM_RPC_URL` makes it the sandbox's chain.
 *
 * @example
 * ```ts
 * await writeSvmGenesis('genesis')
 * ```
 */
export async function writeSvmGenesis(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [pubkey, { data, ...state }] of genesisAccounts()) {
    const account = { ...state, data: [Buffer.from(data).toString('base64'), 'base64'], space: data.length }
    await writeFile(join(folder, `${pubkey}.json`), `${encodeJson({ pubkey, account })}\n`)
  }
}

/** An account that is no program. */
export function plainAccount(lamports: bigint, owner: Address, data: Uint8Array = new Uint8Array()): AccountState {
  return { lamports, data, owner, executable: false, rentEpoch: 2n ** 64n - 1n }
}

/** Lamports that keep an account with so many bytes of data, for ever. */
function rentExemption(size: number): bigint {
  return BigInt(128 + size) * 6_960n
}

const payerFunds = 1_000_000_000n // 1,000 USDC in atomic units
const feeFunds = 100_000_000_000n // 100 SOL in lamports

function isPayer({ role }: { readonly role: string }): boolean {
  return role.startsWith('payer')
}
