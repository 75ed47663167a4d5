/** The scheme's name and chains. */
export const uptoOnSvm = { name: 'upto', family: 'solana' } as const
