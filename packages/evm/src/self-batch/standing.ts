import type { Clock } from '@groat/core'
import type { Address } from '../address.js'
import { delegationTo } from '../code-change.js'
import type { Hex } from '../hex.js'
import type { EvmRpc } from '../rpc.js'
import { SELF_BATCH_CODE } from './delegate.js'

/** What is known of the code that the signers of a chain run. */
export interface SignerCode {
  /** Whether an account has code, as far as was seen last. */
  hasCode(account: Address): boolean
  /** Whether an account may run the batch: not when it was seen lately that it does not. */
  mayBatch(account: Address): boolean
  /** Whether an account runs the batch and nothing else, as of a second ago at the most. Throws when the chain cannot be asked. */
  batches(account: Address): Promise<boolean>
}

/** Milliseconds for which what was seen holds; and for which what is not there is not asked for again. */
const HOLDS_MS = 1_000
const AGAIN_MS = 10_000

/**
 * Looks at the code of signers: it has to be the delegation to this delegate, and the code there the one that is known (FAC-110).
 *
 * @example
 * const code = createSignerCode({ rpc, clock, delegate: SELF_BATCH })
 * await code.batches(signer)
 */
export function createSignerCode({ rpc, clock, delegate }: SignerCodeOptions): SignerCode {
  const seen = new Map<Address, { readonly at: number; readonly code: Hex; readonly batches: boolean }>()
  const looks = new Map<Address, Promise<boolean>>()
  const recent = (account: Address, age: number) => {
    const known = seen.get(account)
    return known !== undefined && clock() - known.at < age ? known : undefined
  }

  async function look(account: Address): Promise<boolean> {
    const [code, known] = await Promise.all([rpc.code(account), delegate === undefined ? '0x' : rpc.code(delegate)])
    const batches = delegate !== undefined && code === delegationTo(delegate) && known === SELF_BATCH_CODE
    seen.set(account, { at: clock(), code, batches })
    return batches
  }

  return {
    hasCode: (account) => (seen.get(account)?.code ?? '0x') !== '0x',
    mayBatch: (account) => delegate !== undefined && recent(account, AGAIN_MS)?.batches !== false,
    async batches(account) {
      const known = recent(account, HOLDS_MS)
      if (known !== undefined) return known.batches
      const asked = looks.get(account) ?? look(account).finally(() => looks.delete(account))
      looks.set(account, asked)
      return asked
    },
  }
}

type SignerCodeOptions = {
  readonly rpc: Pick<EvmRpc, 'code'>
  readonly clock: Clock
  readonly delegate: Address | undefined
}
