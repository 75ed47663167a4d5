import { sql } from 'kysely'

const TOPICS = ['weather', 'price', 'news', 'map', 'music', 'tax', 'law', 'image', 'voice', 'train']
const USDC = '0x036cbd53842c5426634e7929541ec2318f3dcf7e'
const BATCH = 500

/** Fills an empty catalogue as that many payments would, in bulk: they would take longer than what is measured. */
export async function fillCatalogue(store, count, analyzed = true) {
  const tables = store.withTables()
  for (let from = 0; from < count; from += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, count - from) }, (_, n) => rowOf(from + n))
    await tables.transaction(async (trx) => {
      const made = await trx.insertInto('bazaar_resource').values(rows).returning(['seq', 'key']).execute()
      await trx
        .insertInto('bazaar_offer')
        .values(made.map(({ seq, key }) => offerOf(Number(seq), Number(key))))
        .execute()
    })
  }
  // What a database does by itself after a while.
  if (analyzed) await tables.transaction((trx) => sql`analyze`.execute(trx))
}

function rowOf(n) {
  const topic = TOPICS[n % TOPICS.length]
  const url = `https://shop${n % 1000}.example/${topic}/city${Math.floor(n / 10) % 1000}/${n}`
  const info = { input: { type: 'http', method: 'GET', queryParams: { city: 'Oslo', units: 'metric' } } }
  const said = {
    description: `The ${topic} of city ${n}, as of today`,
    serviceName: `Service ${n}`,
    tags: [topic],
    info,
  }
  return {
    ...{
      key: String(n),
      type: n % 5 === 0 ? 'mcp' : 'http',
      url,
      origin: new URL(url).origin,
      method: 'GET',
      tool: null,
    },
    ...{ pay_to: `0x${(n % 5000).toString(16).padStart(40, '0')}`, x402_version: 2, said: JSON.stringify(said) },
    ...{
      name_words: `service ${n} ${topic} city${Math.floor(n / 10) % 1000}`,
      more_words: `shop${n % 1000} example the of city as today get input type method queryparams units`,
    },
    ...{
      first_seen: n,
      last_seen: n,
      origin_state: n % 3 === 0 ? 'verified' : 'unknown',
      probed_at: 0,
      probe: null,
      failures: 0,
    },
    ...{
      hidden: null,
      shown: 1,
      score: (n * 7919) % 900,
      payers: n % 50,
      extension_keys: '|bazaar|',
      quality: '{}',
      scored_at: 0,
    },
  }
}

function offerOf(resource, n) {
  const network = n % 2 === 0 ? 'eip155:84532' : 'eip155:8453'
  const amount = String(1000 + n)
  const requirements = { scheme: 'exact', network, amount, asset: USDC, payTo: '0x', maxTimeoutSeconds: 60, extra: {} }
  return {
    resource,
    rid: String(n),
    network,
    scheme: 'exact',
    asset: USDC,
    amount,
    requirements: JSON.stringify(requirements),
    last_seen: n,
  }
}
