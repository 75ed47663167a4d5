import { addressBytes, type Key } from './address.js'

/** The programs that a payment touches. */
export const programs = {
  system: addressBytes('11111111111111111111111111111111'),
  computeBudget: addressBytes('ComputeBudget111111111111111111111111111111'),
  token: addressBytes('TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA'),
  token2022: addressBytes('TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb'),
  associatedToken: addressBytes('ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL'),
  memo: addressBytes('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr'),
  lighthouse: addressBytes('L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95'),
  addressLookupTable: addressBytes('AddressLookupTab1e1111111111111111111111111'),
  paymentChannels: addressBytes('CHNLxYvVA28MJP9PrFuDXccuoGXAx7jBacfLEkahyGsX'),
  rentSysvar: addressBytes('SysvarRent111111111111111111111111111111111'),
} as const satisfies Record<string, Key>
