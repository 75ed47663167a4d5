/**
 * The value of the receipt header in the last event of a stream that is settled when it has ended (`event: payment-response`); `undefined` when it does not end
 * with one.
 *
 * @example
 * lastReceipt('data: hi\n\nevent: payment-response\ndata: eyJzdWNj…\n\n') // 'eyJzdWNj…'
 */
export function lastReceipt(text: string): string | undefined {
  const [, value] = /(?:^|\n)event: payment-response\ndata: ([\w+/=-]+)\n\n$/.exec(text) ?? []
  return value
}
