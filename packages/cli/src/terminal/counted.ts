/**
 * So many of something, in words: of one, and of any other number. `many`: where it is not `one` with an s.
 *
 * @example
 * counted(1, 'payment') // '1 payment'
 * counted(2, 'try', 'tries') // '2 tries'
 */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
