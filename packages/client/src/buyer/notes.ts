import { headerNames, readBounded, sha256Hex } from '@groat/core'
import { lastReceipt } from '../last-receipt.js'
import type { PaymentOutcome } from '../outcome.js'
import type { Note, Purse } from '../purse.js'

/** Keeps what came with an answer, beside the caller: an answer is never late or lost because of its note. */
export type Notes = {
  readonly take: (response: Response, outcome: PaymentOutcome | undefined) => void
  readonly idle: () => Promise<void>
}

/** How long an answer is read along. */
const READ_MS = 10_000

/** Notes of a purse. The answer is read along up to that many bytes. */
export function createNotes(purse: Purse, digestBytes: number): Notes {
  const pending = new Set<Promise<void>>()
  return {
    take(response, outcome) {
      if (outcome === undefined || !('payment' in outcome)) return
      // Taken now: the caller reads the other half of the same stream.
      const copy = digestBytes > 0 && response.body !== null && !response.bodyUsed ? response.clone().body : null
      const work: Promise<void> = write(purse, outcome.payment.intent, response, copy, digestBytes)
        // The note is worth less than the answer.
        .catch(() => {})
        .finally(() => pending.delete(work))
      pending.add(work)
    },
    async idle() {
      await Promise.all(pending)
    },
  }
}

async function write(
  purse: Purse,
  id: string,
  { headers, status }: Response,
  copy: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<void> {
  const named = headers.get(headerNames[2].response) ?? headers.get(headerNames[1].response) ?? undefined
  const body = copy === null ? undefined : await readBounded(copy, { maxBytes, ms: READ_MS }).catch(() => undefined)
  const receipt =
    named ?? (isStream(headers) && body !== undefined ? lastReceipt(new TextDecoder().decode(body)) : undefined)
  const note: Note = {
    httpStatus: status,
    ...(receipt !== undefined && { receipt }),
    ...(body !== undefined && { answerDigest: sha256Hex(body), answerBytes: body.length }),
  }
  await purse.note(id, note)
}

const isStream = (headers: Headers) => headers.get('content-type')?.startsWith('text/event-stream') === true
