import {
  canonicalJson,
  type Facilitator,
  type FacilitatorRequest,
  network,
  type Settlement,
  sha256Hex,
} from '@groat/core'

/** A facilitator in this process that says yes, counts, and can be told to do otherwise once. */
export type StubFacilitator = Facilitator & {
  readonly verified: FacilitatorRequest[]
  readonly settled: FacilitatorRequest[]
  /** Answers for the next settlements, in order. */
  readonly next: ((request: FacilitatorRequest) => Promise<Settlement>)[]
}

export const NETWORK = network('base-sepolia')

export function stubFacilitator(): StubFacilitator {
  const ledger = new Map<string, string>()
  const stub: StubFacilitator = {
    verified: [],
    settled: [],
    next: [],
    supported: async () => ({
      kinds: [
        { x402Version: 2, scheme: 'exact', network: NETWORK },
        { x402Version: 1, scheme: 'exact', network: NETWORK },
        { x402Version: 2, scheme: 'transfer-proof', network: NETWORK },
      ],
      extensions: [],
      signers: {},
    }),
    verify: async (request) => {
      stub.verified.push(request)
      return { ok: true, payer: '' }
    },
    settle: async (request) => {
      stub.settled.push(request)
      const next = stub.next.shift()
      return next === undefined ? settledNow(request, ledger) : next(request)
    },
  }
  return stub
}

/** Moves the money once: the same payment has the same transaction. */
function settledNow({ payment, requirements }: FacilitatorRequest, ledger: Map<string, string>): Settlement {
  const key = sha256Hex(canonicalJson(payment.payload))
  const transaction = ledger.get(key) ?? `0x${String(ledger.size + 1).padStart(64, '0')}`
  ledger.set(key, transaction)
  return { status: 'settled', receipt: { payer: '', network: requirements.network, transaction } }
}
