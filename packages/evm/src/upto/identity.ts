/** The scheme's name and chains. */
export const uptoOnEvm = { name: 'upto', family: 'eip155' } as const
