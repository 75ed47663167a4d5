/** What an account of the sandbox is for. `issuer` mints and freezes the token. */
export type SvmRole =
  | 'payer'
  | 'payer2'
  | 'payer3'
  | 'payer4'
  | 'payer5'
  | 'seller'
  | 'facilitator'
  | 'facilitator2'
  | 'facilitator3'
  | 'issuer'

/** A funded account of the sandbox. The key is publicly known: test money only. */
export type SvmAccount = {
  readonly role: SvmRole
  /** Base58 of the public key. */
  readonly address: string
  /** Base58 of 64 bytes, as wallets export it: the 32-byte seed and the public key. */
  readonly secretKey: string
  /** Where its USDC is: the associated token account. */
  readonly usdcAccount: string
}

/**
 * The accounts of every sandbox chain. Each seed is one byte, thirty-two times: 1 facilitator, 2 payer, 3 seller,
 * 5 to 8 payer2 to payer5, 9 and 10 facilitator2 and facilitator3, 11 issuer. Anybody can spend from them on any other
 * chain, so never use them elsewhere.
 *
 * @example
 * ```ts
 * const payer = await createKeyPairSignerFromBytes(getBase58Encoder().encode(svmAccounts[0].secretKey))
 * ```
 */
export const svmAccounts = [
  {
    role: 'payer',
    address: '9hSR6S7WPtxmTojgo6GG3k4yDPecgJY292j7xrsUGWBu',
    secretKey: '3L3RY5sT8K4kyEnqhizwaqxLEbcYvpGrGPNEYRwtbCSdSvvMAJawwEEPE3NhshFbVUqmvDV74Ct4vo7MEu7yxJX',
    usdcAccount: 'GzpVTWkyGGfBXRaprnrhV3JtGj3TT52z5w2CrEJsTfjm',
  },
  {
    role: 'seller',
    address: 'GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse',
    secretKey: '4VZdodJgBy6dxMgm45zusmRzrPvKtiumu5YrK9RLPJAVbW5qTGHqsYeFR8HsFWEh71pjwJffSPkmficrRvk3p3a',
    usdcAccount: '6ndWAgFxMAVLobD8WrdBj5w41GrDeJYiQX91nNSrwkZp',
  },
  {
    role: 'facilitator',
    address: 'AKnL4NNf3DGWZJS6cPknBuEGnVsV4A4m5tgebLHaRSZ9',
    secretKey: '2AXDGYSE4f2sz7tvMMzyHvUfcoJmxudvdhBcmiUSo6iuCXagjUCKEQF21awZnUGxmwD4m9vGXuC3qieHXJQHAcT',
    usdcAccount: 'H1AviagU5Y17z77v1F9qZPJ9kCbCsL4ewiZABNfGYoRs',
  },
  {
    role: 'payer2',
    address: '8SFqwqnq4whPhs8icwHA2hQg3hUoN1qrCLK1SBx3WKwe',
    secretKey: '6pc4LiB8KHAPvbUbkozrTcPL5zXspYBdATv5raNDyVbpoz75fGXT3N41QtwPtrdu4wMT1tyRu2125Uyu92AnxEC',
    usdcAccount: '6o6v9pN754WMDt4YcTADWd4Mya59rW1RA7zDtqmh9tRk',
  },
  {
    role: 'payer3',
    address: 'AKkzLhjhyFtM9j7WAhbaqYpFe49cXeJBg2kzLRC2PnNa',
    secretKey: '7z8GcFcMNwCGuiNX7AzpkXrzhnqenSpYoA6hdHqfmbKbaEW6tJwdNgjuz2Zu3tZUo3sKdrDouJmTixxVZGyY8iS',
    usdcAccount: '8HiefwziAgp6xWTh9H7FFugw8EYxGyZa6Q3smSU3rNrj',
  },
  {
    role: 'payer4',
    address: 'GmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB',
    secretKey: '99eUso3aSbE9tqGSTXzo3TLfKb9RkMTURrHKQ1K7Zh3StnzFNUx8FKCPPPPpR479qsw5zv2WNBKmgiz7WqgAJfM',
    usdcAccount: '8EiF91LJfbatqHRY3k2jp8dwrFY3yDQeEovpMDZnpJiP',
  },
  {
    role: 'payer5',
    address: '2KW2XRd9kwqet15Aha2oK3tYvd3nWbTFH1MBiRAv1BE1',
    secretKey: 'AKAh9LUoWFG2sxAMotzmLNpKwPTCiG6Q4YTwAinZMnkwKU3YLPTy6uWZgHvLhkmW3Y3AjKGDc8gzbd9FwHWrygV',
    usdcAccount: 'Fpu3ABH4Q1GiTrLPrvHNhhfzVnHXK5o3U6hbodmhR7YB',
  },
  {
    role: 'facilitator2',
    address: 'J2xccRtuG43drESLYznHhLhQkLTdfepcKYbiQ9BsJVaf',
    secretKey: 'BUguQsv2ZuHus54HAFzjdJHzZBkygAjKhEeYwSG19tUwuftFhkkkEFDzcow9XDkfD3qGi1Yb3LV15ufdrKJ226T',
    usdcAccount: 'f5xag9qZ5qmEkt2MDrBQZENh9QV1orw3UyrqAg5wTc3',
  },
  {
    role: 'facilitator3',
    address: '5Z6Ay5NEcbg3xhopc522sBCRXQujkTiuDRnHGfQdcnSf',
    secretKey: 'CeD7gRMFdZKnrBxCWczhvDmfAz4ke5NFKvqAi9jSwzCUJYhEiKdNo1NZoLG9zAzbvFnL3k5tE5Crv8ECZYtC31m',
    usdcAccount: 'CTH5GdP16bqijxQUkYGLHRiwATRdmzeCiir5LrBWsy7',
  },
  {
    role: 'issuer',
    address: '7v54NWdBtkjuAFJrLGsS2SXnuk8nKam81mZJeeYxVFi9',
    secretKey: 'DojKwxnUhDMfqJr7ryzgD9FKnnNXbz1Axd1nUsCtk5vFYGqGWg7vyCxE3z8qajtY4J5zeFZfiwrdCwFGji2vELZ',
    usdcAccount: '2LNTFpNjKosFwWxqgMsW6zbqSy4NuSPyr8rFf2nHZAPm',
  },
] as const satisfies readonly SvmAccount[]

/** Pays for airdrops, with a key as well known as the others: byte 12. */
export const faucetSecretKey = 'EyFYDWDhksPYpRk3DLzeW4izQagJZte6bKCQFagLYBdtG8MMyvk88Cey6v3qZDvzV2JbsEnCEf2inxemhnfDQoe'
