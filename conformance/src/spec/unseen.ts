/**
 * Why no check looks at a requirement of an extension or a transport: it cannot be seen from outside, or something else shows it. By id; a test holds that every other
 * one of these areas has a check.
 */
export const unseen: Readonly<Record<string, string>> = {
  'EXT-001': 'what a route declares is not seen from outside, only what it announces',
  'EXT-003': 'it is about a configuration that does not start, and the kit knows none of a target',
  'EXT-004': 'EXT-ID-002, EXT-CODE-002 and EXT-CODE-003 look at it: what they refuse is neither worked nor settled for',
  'EXT-005': 'a guard that fails to answer needs a fault inside of the target',
  'EXT-009': 'EXT-OFFER-003 looks at it: a signed receipt is what an extension says of a settled payment',
  'EXT-011': 'EXT-CODE-003 looks at it: services are the list to which clients add',
  'EXT-012': 'EXT-CODE-002 looks at it: the app is what the server alone sets',
  'EXT-014': 'it takes an extension that binds a payment to its request, and the one that does is experimental',
  'EXT-ID-011': 'when a target forgets an answer and still knows its name is its own business',
  'EXT-ID-013': 'a store that is down needs a fault inside of the target',
  'EXT-ID-014': 'a target is one process here, and may keep its names where they go with it',
  'EXT-SIGN-014': 'a store that is down needs a fault inside of the target',
  'EXT-SIGN-017': 'a target is one process here',
  'EXT-SIGN-018': 'a target sells on one chain of a family here, and a contract has no other to speak for',
  'EXT-OFFER-014': 'a site publishes over HTTPS at a public address, and the kit has none',
  'EXT-OFFER-016': 'a site publishes over HTTPS at a public address, and the kit has none',
  'EXT-OFFER-018': 'who signs by JWS is looked up at a public address, and the kit has none',
  'EXT-OFFER-024': 'an answer to the kit says whether a receipt is relied on, and not why it is not',
  'EXT-OFFER-025': 'what a client keeps, and verifies again later, is its own business',
  'MCP-034': 'a client is told a limit for each payment here, and no budget',
  'MCP-036': 'a caller that cancels is no question of the kit',
  'MCP-037': 'what a caller is told of progress is no part of an answer to the kit',
  'MCP-041': 'the kit sells tools over streamable HTTP alone',
  'A2A-033': 'a client is told a limit for each payment here, and no budget',
}
