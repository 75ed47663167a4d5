/** Where a process can be made to die, in the order in which a settlement passes them. */
export type CrashPoint =
  | 'FP-01' // the request has been read
  | 'FP-02' // the claim is inserted, not committed
  | 'FP-03' // the claim is committed
  | 'FP-04' // a nonce is chosen
  | 'FP-05' // the transaction is signed
  | 'FP-06' // its bytes are committed
  | 'FP-07' // they have been sent
  | 'FP-08' // the node's acknowledgement is committed
  | 'FP-09' // the receipt is read
  | 'FP-10' // the settlement is committed
  | 'FP-11' // it has been told to others
  | 'FP-12' // a transaction that outbids another is signed
  | 'FP-13' // what is open is being looked up at the start

/**
 * Kills this process, as a power cut would, when `GROAT_CRASH` names this point (`FP-07`, or `FP-07:3` for the third time).
 * Does nothing unless `NODE_ENV` is `test`.
 */
export function crashpoint(point: CrashPoint): void {
  watching?.(point)
  if (armed?.point !== point || ++passed !== armed.nth) return
  process.kill(process.pid, 'SIGKILL')
}

const armed = process.env.NODE_ENV === 'test' ? parseArmed(process.env.GROAT_CRASH) : undefined
let passed = 0

function parseArmed(text: string | undefined): { readonly point: string; readonly nth: number } | undefined {
  const [point, nth = '1'] = text?.split(':') ?? []
  return point === undefined ? undefined : { point, nth: Number(nth) }
}

/** Tells a test of every point that is passed in this process, in place of what it does there; nobody when `undefined`. */
export function onCrashpoint(watch: ((point: CrashPoint) => void) | undefined): void {
  watching = watch
}

let watching: ((point: CrashPoint) => void) | undefined
