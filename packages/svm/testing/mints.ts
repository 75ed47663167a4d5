import type { SvmAccountState } from '@groat/sandbox'
import { formatAddress } from '../src/wire/address.js'
import { programs } from '../src/wire/programs.js'

/** An extension of a mint, as it stands in the account. */
export type Extension = { readonly type: number; readonly data: Uint8Array }

/** A mint of Token-2022 with 6 decimals and nobody who could mint, to be written with `setAccount`. */
export function mintAccount(extensions: readonly Extension[] = []): SvmAccountState {
  const tail = extensions.flatMap(({ type, data }) => {
    const head = Buffer.alloc(4)
    head.writeUInt16LE(type, 0)
    head.writeUInt16LE(data.length, 2)
    return [head, Buffer.from(data)]
  })
  const base = Buffer.alloc(82)
  base[44] = 6
  base[45] = 1
  const data = extensions.length === 0 ? base : Buffer.concat([base, Buffer.alloc(83), Buffer.of(1), ...tail])
  return { lamports: 10_000_000n, owner: formatAddress(programs.token2022), data: Uint8Array.from(data) }
}

/** A share of every transfer, in hundredths of a percent, from now on. */
export function transferFee(basisPoints: number, maximum = 1_000_000n): Extension {
  const data = Buffer.alloc(108)
  for (const at of [72, 90]) {
    data.writeBigUInt64LE(maximum, at + 8)
    data.writeUInt16LE(basisPoints, at + 16)
  }
  return { type: 1, data }
}

/** An extension of one authority and maybe a program. */
export function keys(type: number, ...which: readonly Uint8Array[]): Extension {
  return { type, data: Buffer.concat(which) }
}
