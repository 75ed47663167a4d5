import { formatAddress } from '../wire/address.js'
import { type ByteReader, createReader } from '../wire/reader.js'
import { tokenAccountSize } from '../wire/token-layout.js'

/** The Token-2022 extensions of a mint or token account. Those that are not known here are called unparseable. */
export function tokenExtensions(data: Uint8Array): unknown[] {
  if (data.length <= tokenAccountSize) return []
  const reader = createReader(data.subarray(tokenAccountSize + 1))
  const extensions: unknown[] = []
  while (reader.offset + 4 <= data.length - tokenAccountSize - 1) {
    const type = reader.u16()
    if (type === 0) break
    const value = reader.bytes(reader.u16())
    const known = extensionTypes[type]
    if (known === undefined) extensions.push({ extension: 'unparseableExtension' })
    else extensions.push({ extension: known[0], state: known[1]?.(createReader(value)) })
  }
  return extensions
}

const extensionTypes: Readonly<Record<number, readonly [name: string, read?: (reader: ByteReader) => unknown]>> = {
  1: [
    'transferFeeConfig',
    (reader) => ({
      transferFeeConfigAuthority: authority(reader),
      withdrawWithheldAuthority: authority(reader),
      withheldAmount: reader.u64(),
      olderTransferFee: transferFee(reader),
      newerTransferFee: transferFee(reader),
    }),
  ],
  2: ['transferFeeAmount', (reader) => ({ withheldAmount: reader.u64() })],
  3: ['mintCloseAuthority', (reader) => ({ closeAuthority: authority(reader) })],
  6: ['defaultAccountState', (reader) => ({ accountState: ['uninitialized', 'initialized', 'frozen'][reader.u8()] })],
  7: ['immutableOwner'],
  8: ['memoTransfer', (reader) => ({ requireIncomingTransferMemos: reader.u8() === 1 })],
  9: ['nonTransferable'],
  11: ['cpiGuard', (reader) => ({ lockCpi: reader.u8() === 1 })],
  12: ['permanentDelegate', (reader) => ({ delegate: authority(reader) })],
  13: ['nonTransferableAccount'],
  14: ['transferHook', (reader) => ({ authority: authority(reader), programId: authority(reader) })],
  15: ['transferHookAccount', (reader) => ({ transferring: reader.u8() === 1 })],
  18: ['metadataPointer', (reader) => ({ authority: authority(reader), metadataAddress: authority(reader) })],
  20: ['groupPointer', (reader) => ({ authority: authority(reader), groupAddress: authority(reader) })],
  22: ['groupMemberPointer', (reader) => ({ authority: authority(reader), memberAddress: authority(reader) })],
  26: ['pausableConfig', (reader) => ({ authority: authority(reader), paused: reader.u8() === 1 })],
  27: ['pausableAccount'],
}

/** Thirty-two zeros stand for nobody. */
function authority(reader: ByteReader): string | null {
  const bytes = reader.bytes(32)
  return bytes.every((byte) => byte === 0) ? null : formatAddress(bytes)
}

function transferFee(reader: ByteReader) {
  return { epoch: reader.u64(), maximumFee: reader.u64(), transferFeeBasisPoints: reader.u16() }
}
