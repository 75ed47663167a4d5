/** What a method refuses with, as it goes to the client. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  readonly data: unknown

  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** The caller's parameters are wrong: -32602. */
export function invalidParams(message: string): RpcError {
  return new RpcError(-32602, message)
}
