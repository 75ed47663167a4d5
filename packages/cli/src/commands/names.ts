import { lookup } from 'node:dns/promises'

/** Where a name leads, as this machine reaches it. */
export async function addressesOf(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address)
}
