import type { LookupFunction } from 'node:net'
import type { HttpCall } from './call.js'
import { nodeCall } from './node-call.js'

/** Networks that are nobody's on the internet: this machine, private ones, those that reach into them, and those that are reserved. */
const PRIVATE = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...[
    '224.0.0.0/4',
    '240.0.0.0/4',
    '::/96',
    '::ffff:0:0/96',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '100::/64',
    '2001::/23',
  ],
  ...['2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
]

/** Tells public addresses from others; only where there is Node. */
export type PublicAddresses = {
  /** Whether text is an address, and a public one. */
  isPublic(address: string): boolean
  /** Resolves a name to its public addresses alone: what is connected to is what was looked at. */
  readonly lookup: LookupFunction
}

/**
 * Knows public addresses by Node's own modules, which are handed in so that nothing of them is bundled for other runtimes.
 *
 * @example
 * const { isPublic } = publicAddresses(process.getBuiltinModule('node:net'), process.getBuiltinModule('node:dns'))
 * isPublic('169.254.169.254') // false
 */
export function publicAddresses(
  { BlockList, isIP }: Pick<typeof import('node:net'), 'BlockList' | 'isIP'>,
  dns: Pick<typeof import('node:dns'), 'lookup'>,
): PublicAddresses {
  const [four, six] = [new BlockList(), new BlockList()]
  for (const network of PRIVATE) {
    const [address = '', bits] = network.split('/')
    if (address.includes(':')) six.addSubnet(address, Number(bits), 'ipv6')
    else four.addSubnet(address, Number(bits), 'ipv4')
  }
  const isPublic = (address: string): boolean => {
    const family = isIP(address)
    if (family === 4) return !four.check(address, 'ipv4')
    return family === 6 && !six.check(address, 'ipv6')
  }
  return {
    isPublic,
    lookup(host, options, done) {
      dns.lookup(host, { ...options, all: true }, (error, found) => {
        const [first, ...more] = error ? [] : found.filter(({ address }) => isPublic(address))
        if (first === undefined) {
          done(error ?? Object.assign(new Error('no public address'), { code: 'ENOTFOUND' }), '')
        } else if (options.all) done(null, [first, ...more])
        else done(null, first.address, first.family)
      })
    },
  }
}

/**
 * Exchanges by Node's own client that reach no private address, whatever a name resolves to as it connects: for URLs that others chose.
 * `undefined` where there is no Node.
 *
 * @example
 * const call = publicCall() ?? callOver(globalThis.fetch)
 */
export function publicCall(): HttpCall | undefined {
  const { process } = globalThis
  if (nodeCall() === undefined) return undefined
  const guard = publicAddresses(process.getBuiltinModule('node:net'), process.getBuiltinModule('node:dns'))
  return nodeCall({ guard })
}
