/** An address inside a private network, written out. The URL parser has brought every spelling of it to one. */
export function isPrivateHost(hostname: string): boolean {
  const [, a = '', b = '', c = ''] = /^(\d+)\.(\d+)\.(\d+)\.\d+$/.exec(hostname) ?? []
  if (a !== '') return isPrivateV4(Number(a), Number(b), Number(c))
  if (!hostname.startsWith('[') || hostname === '[::1]') return false
  // An address of version 4, mapped, behind a translator (NAT64) or in a tunnel (6to4).
  const [, inner, low = ''] =
    /^\[(?:::ffff:|64:ff9b::(?=.*:)|2002:)([0-9a-f]{1,4}):([0-9a-f]{0,4})[0-9a-f:]*]$/.exec(hostname) ?? []
  if (inner !== undefined) {
    const high = Number.parseInt(inner, 16)
    return isPrivateV4(high >> 8, high & 255, Number.parseInt(low || '0', 16) >> 8)
  }
  // Of all others only 2000::/3 is public, and of that no Teredo.
  return !/^\[(?!2001:0?:)[23][0-9a-f]{3}:/.test(hostname)
}

/** Loopback is not among them: plain http is paid there as well. */
function isPrivateV4(a: number, b: number, c: number): boolean {
  if (a === 0 || a === 10 || a >= 224) return true
  return (
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && (b === 168 || (b === 0 && c === 0)))
  )
}

/** Whether a host is written as an address. */
export function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(hostname)
}

/**
 * Whether an address that a name leads to is inside a private network, or this machine: a stranger's name has no business there.
 *
 * @example
 * isInside('::ffff:10.0.0.1') // true
 */
export function isInside(address: string): boolean {
  const url = `http://${address.includes(':') ? `[${address}]` : address}`
  // What is no address is not one that can be trusted.
  if (!URL.canParse(url)) return true
  const { hostname } = new URL(url)
  return isPrivateHost(hostname) || hostname === '[::1]' || hostname.startsWith('127.') || /^\[::ffff:7f/.test(hostname)
}
