/** The development network of Solana. */
export const devnet = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1'

/** The mint of USDC, as Circle made it there and the sandbox has it. */
export function usdcOf(network) {
  if (network !== devnet) throw new Error(`USDC on ${network} is not known`)
  return '4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU'
}
