/** A line of the log for people: when, what, and the rest as pairs. */
export function readable(line: string): string {
  // The log has just written it.
  const { time, level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>
  const pairs = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return [time, msg, ...pairs].join(' ')
}
