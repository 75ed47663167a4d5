import { echoes, mutant, withInfo } from './client-extensions.js'
import type { MutantOver } from './client-over.js'

const binding = 'groat-request-binding'
const fields = 'groat-compliance'

const payer = (change: object) => withInfo((info) => ({ payer: { ...info.payer, ...change } }))

/** Broken in what they make of the experimental extensions. */
export const clientExperimentMutants: readonly MutantOver[] = [
  echoes(
    'names another salt than it has bound',
    ['EXT-BIND-002/request/evm', 'EXT-BIND-002/headers/evm'],
    binding,
    withInfo({ salt: 'ab'.repeat(16) }),
  ),
  mutant('binds no headers', ['EXT-BIND-002/headers/evm'], {
    reads: (challenge) => {
      const { headers: _, ...info } = challenge.extensions?.[binding]?.info ?? {}
      return { ...challenge, extensions: { ...challenge.extensions, [binding]: { info, schema: {} } } }
    },
  }),
  echoes('binds with one salt', ['EXT-BIND-003/salt/evm'], binding, withInfo({ salt: '0'.repeat(32) })),

  echoes(
    'tells sellers all that it knows of itself',
    ['EXT-COMPLY-002/asked/evm', 'EXT-COMPLY-002/others/evm'],
    fields,
    payer({ country: 'PL', kind: 'business' }),
  ),
  echoes('tells sellers one thing', ['EXT-COMPLY-002/others/evm'], fields, withInfo({ payer: { country: 'PL' } })),
  mutant('relies on no record', ['EXT-COMPLY-008/right/evm'], {
    fetched: (answer) => ('ok' in answer ? { ok: { ...answer.ok, saleRecord: false } } : answer),
  }),
  mutant(
    'relies on every record',
    [
      'EXT-COMPLY-008/digest/evm',
      'EXT-COMPLY-008/amount/evm',
      'EXT-COMPLY-008/payee/evm',
      'EXT-COMPLY-008/transaction/evm',
    ],
    { fetched: (answer) => ('ok' in answer ? { ok: { ...answer.ok, saleRecord: true } } : answer) },
  ),

  mutant('asks for no money', ['EXT-REFUND-002/own/evm'], { asks: (message) => ({ ...message, signature: '0x' }) }),
  mutant('asks in the name of another', ['EXT-REFUND-002/own/evm'], {
    asks: (message) => ('refundTo' in message ? { ...message, refundTo: `0x${'1'.repeat(40)}` } : message),
  }),
  mutant('asks whoever it is told to ask', ['EXT-REFUND-002/elsewhere/evm'], {
    refunds: async (_, endpoint) => {
      await fetch(endpoint, { method: 'POST', body: '{}' })
    },
  }),
]
