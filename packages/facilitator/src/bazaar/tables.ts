import type { Migrations, Store } from '@groat/store'
import type { Generated } from 'kysely'
import { type Kysely, sql } from 'kysely'

/** Who speaks of a listing: whoever paid, a server whose key the operator knows for its account, or the origin of the URL itself. */
export type SaidBy = 'payer' | 'seller' | 'origin'

/** What the catalogue keeps. Times are milliseconds since 1970. */
export type BazaarTables = {
  bazaar_resource: {
    seq: Generated<number>
    /** SHA-256 of type, place and recipient. */
    key: string
    type: string
    url: string
    origin: string
    method: string | null
    tool: string | null
    pay_to: string
    x402_version: number
    /** What is said of it, as JSON: words of the service, `info`, `schema`. */
    said: string
    /** Who says it: nobody is shown what only a payer has said. */
    said_by: SaidBy
    /** What is searched: words of the name, and words of all the rest. */
    name_words: string
    more_words: string
    first_seen: number
    last_seen: number
    origin_state: string
    probed_at: number
    probe: string | null
    failures: number
    hidden: string | null
    /** 1 unless it is hidden, disowned or gone. */
    shown: number
    score: number
    payers: number
    /** Keys of the extensions that were declared, each between bars. */
    extension_keys: string
    quality: string
    scored_at: number
  }
  bazaar_offer: {
    resource: number
    rid: string
    network: string
    scheme: string
    asset: string
    amount: string
    requirements: string
    last_seen: number
  }
  bazaar_use: { resource: number; payer: string; day: number; calls: number; last_at: number }
  bazaar_seen: { pid: string; at: number }
  /** Places that the operator has taken off, for what comes later too: of one recipient, or of all (`''`). */
  bazaar_hidden: { url: string; pay_to: string; reason: string; at: number }
  bazaar_note: { place: string; flaw: string; origin: string; at: number }
}

/** How the tables come to be. A step that is released never changes. */
export function bazaarMigrations(kind: Store['kind']): Migrations {
  return {
    namespace: 'bazaar',
    steps: {
      '001_catalogue': (db) => createTables(db, kind),
      '002_facets': async (db) => {
        if (kind === 'postgres') await createFacets(db)
      },
      '003_said_by': async (db) => {
        await db.schema
          .alterTable('bazaar_resource')
          .addColumn('said_by', 'text', (c) => c.notNull().defaultTo('payer'))
          .execute()
        await sql`update bazaar_resource set said_by = 'origin' where origin_state = 'verified'`.execute(db)
      },
      '004_hidden': async (db) => {
        await db.schema
          .createTable('bazaar_hidden')
          .addColumn('url', 'text', (c) => c.notNull())
          .addColumn('pay_to', 'text', (c) => c.notNull())
          .addColumn('reason', 'text', (c) => c.notNull())
          .addColumn('at', 'bigint', (c) => c.notNull())
          .addPrimaryKeyConstraint('bazaar_hidden_key', ['url', 'pay_to'])
          .execute()
        await sql`insert into bazaar_hidden (url, pay_to, reason, at)
          select url, pay_to, max(hidden), max(last_seen) from bazaar_resource where hidden is not null group by url, pay_to`.execute(
          db,
        )
      },
    },
  }
}

/**
 * What filters ask for most, in the index of the words, so that words and filters that hardly meet are told apart without reading rows. An offer that is gone may leave its facets
 * behind: they only narrow down, and the offers themselves are looked at.
 */
async function createFacets(db: Kysely<unknown>): Promise<void> {
  await sql`alter table bazaar_resource add column facets text[] not null default '{}'`.execute(db)
  /** Writes the facets of resources whose numbers are selected, where they have changed. */
  const update = (which: string) => `update bazaar_resource r set facets = array_append(f.facets, 'type ' || r.type)
    from (select o.resource, array_agg(distinct facet) as facets from bazaar_offer o
      cross join lateral unnest(array['network ' || o.network, 'scheme ' || o.scheme, 'asset ' || o.asset]) as facet
      where o.resource in (${which}) group by o.resource) f
    where r.seq = f.resource and r.facets is distinct from array_append(f.facets, 'type ' || r.type)`
  await sql
    .raw(
      `create function bazaar_facets_new() returns trigger language plpgsql as $$ begin ${update('select resource from made')}; return null; end $$`,
    )
    .execute(db)
  await sql`create trigger bazaar_facets after insert on bazaar_offer referencing new table as made for each statement execute function bazaar_facets_new()`.execute(
    db,
  )
  await sql.raw(update('select seq from bazaar_resource')).execute(db)
  await sql`drop index bazaar_words`.execute(db)
  // Entries that wait in a list of their own would be read one by one at every search.
  await sql`create index bazaar_found on bazaar_resource using gin (words, facets) with (fastupdate = off)`.execute(db)
}

async function createTables(db: Kysely<unknown>, kind: Store['kind']): Promise<void> {
  const { schema } = db
  await schema
    .createTable('bazaar_resource')
    .addColumn('seq', kind === 'postgres' ? 'bigserial' : 'integer', (c) =>
      kind === 'postgres' ? c.primaryKey() : c.primaryKey().autoIncrement(),
    )
    .addColumn('key', 'text', (c) => c.notNull().unique())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('origin', 'text', (c) => c.notNull())
    .addColumn('method', 'text')
    .addColumn('tool', 'text')
    .addColumn('pay_to', 'text', (c) => c.notNull())
    .addColumn('x402_version', 'bigint', (c) => c.notNull())
    .addColumn('said', 'text', (c) => c.notNull())
    .addColumn('name_words', 'text', (c) => c.notNull())
    .addColumn('more_words', 'text', (c) => c.notNull())
    .addColumn('first_seen', 'bigint', (c) => c.notNull())
    .addColumn('last_seen', 'bigint', (c) => c.notNull())
    .addColumn('origin_state', 'text', (c) => c.notNull())
    .addColumn('probed_at', 'bigint', (c) => c.notNull())
    .addColumn('probe', 'text')
    .addColumn('failures', 'bigint', (c) => c.notNull())
    .addColumn('hidden', 'text')
    .addColumn('shown', 'bigint', (c) => c.notNull())
    .addColumn('score', 'bigint', (c) => c.notNull())
    .addColumn('payers', 'bigint', (c) => c.notNull())
    .addColumn('extension_keys', 'text', (c) => c.notNull())
    .addColumn('quality', 'text', (c) => c.notNull())
    .addColumn('scored_at', 'bigint', (c) => c.notNull())
    .execute()
  const shown = sql<boolean>`shown = 1`
  await schema.createIndex('bazaar_shown').on('bazaar_resource').column('seq').where(shown).execute()
  await schema.createIndex('bazaar_best').on('bazaar_resource').columns(['score desc', 'seq']).where(shown).execute()
  await schema.createIndex('bazaar_origin').on('bazaar_resource').column('origin').execute()
  await schema.createIndex('bazaar_pay_to').on('bazaar_resource').column('pay_to').execute()
  await schema.createIndex('bazaar_probed').on('bazaar_resource').column('probed_at').execute()
  await schema
    .createTable('bazaar_offer')
    .addColumn('resource', 'bigint', (c) => c.notNull())
    .addColumn('rid', 'text', (c) => c.notNull())
    .addColumn('network', 'text', (c) => c.notNull())
    .addColumn('scheme', 'text', (c) => c.notNull())
    .addColumn('asset', 'text', (c) => c.notNull())
    .addColumn('amount', 'text', (c) => c.notNull())
    .addColumn('requirements', 'text', (c) => c.notNull())
    .addColumn('last_seen', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('bazaar_offer_key', ['resource', 'rid'])
    .execute()
  await schema
    .createTable('bazaar_use')
    .addColumn('resource', 'bigint', (c) => c.notNull())
    .addColumn('payer', 'text', (c) => c.notNull())
    .addColumn('day', 'bigint', (c) => c.notNull())
    .addColumn('calls', 'bigint', (c) => c.notNull())
    .addColumn('last_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('bazaar_use_key', ['resource', 'payer', 'day'])
    .execute()
  await schema.createIndex('bazaar_use_payer').on('bazaar_use').column('payer').execute()
  await schema
    .createTable('bazaar_seen')
    .addColumn('pid', 'text', (c) => c.primaryKey())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .execute()
  await schema.createIndex('bazaar_seen_at').on('bazaar_seen').column('at').execute()
  await schema
    .createTable('bazaar_note')
    .addColumn('place', 'text', (c) => c.primaryKey())
    .addColumn('flaw', 'text', (c) => c.notNull())
    .addColumn('origin', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .execute()
  await schema.createIndex('bazaar_note_origin').on('bazaar_note').column('origin').execute()
  if (kind === 'postgres') {
    await sql`alter table bazaar_resource add column words tsvector generated always as (setweight(to_tsvector('simple', name_words), 'A') || setweight(to_tsvector('simple', more_words), 'B')) stored`.execute(
      db,
    )
    await sql`create index bazaar_words on bazaar_resource using gin (words)`.execute(db)
  } else {
    await sql`create virtual table bazaar_words using fts5(name_words, more_words, content='bazaar_resource', content_rowid='seq', tokenize='unicode61 remove_diacritics 0', prefix='2 3')`.execute(
      db,
    )
    await sql`create trigger bazaar_words_in after insert on bazaar_resource begin insert into bazaar_words(rowid, name_words, more_words) values (new.seq, new.name_words, new.more_words); end`.execute(
      db,
    )
    await sql`create trigger bazaar_words_new after update of name_words, more_words on bazaar_resource when old.name_words <> new.name_words or old.more_words <> new.more_words begin insert into bazaar_words(bazaar_words, rowid, name_words, more_words) values ('delete', old.seq, old.name_words, old.more_words); insert into bazaar_words(rowid, name_words, more_words) values (new.seq, new.name_words, new.more_words); end`.execute(
      db,
    )
    await sql`create trigger bazaar_words_out after delete on bazaar_resource begin insert into bazaar_words(bazaar_words, rowid, name_words, more_words) values ('delete', old.seq, old.name_words, old.more_words); end`.execute(
      db,
    )
  }
}
