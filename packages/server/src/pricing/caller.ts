/**
 * Whose address it is, as far as an address tells: of IPv6 the first 64 bits, for whoever has one such address has all of its network; an IPv4 address that is written
 * as IPv6 is itself (SRV-037).
 *
 * @example
 * callerOfAddress('2001:db8::7') // '2001:db8:0:0::/64'
 */
export function callerOfAddress(address: string): string {
  const [bare = ''] = address.toLowerCase().split('%', 1)
  if (!bare.includes(':')) return bare
  const [, mapped] = /^(?:::|(?:0{1,4}:){5})ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare) ?? []
  if (mapped !== undefined) return mapped
  const [head = '', tail] = bare.split('::', 2)
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')]
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right]
  return `${groups.slice(0, 4).join(':')}::/64`
}

/** Groups of 16 bits; an address of IPv4 at the end is two of them. */
function groupsOf(text: string): readonly string[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => (group.includes('.') ? ['v4', 'v4'] : [group.replace(/^0+(?=.)/, '')]))
}
