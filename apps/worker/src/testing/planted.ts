import type { TestDatabase } from '@latchkey/database/testing';

type Owner = Pick<TestDatabase['owner'], 'query'>;

/** Where rows are planted, and the word that stands in each that a customer could write to. */
export interface Plot {
  tenantId: string;
  repositoryId: string;
  slug: string;
  word: string;
}

/** A person, and a file of theirs. */
export const person = 2_000;
const file = 2_001;
/** An id of the repository's own: a UUID of version 4. */
const idOf = (n: number) => `overlay(overlay(md5(repository::text || '${n}') PLACING '4' FROM 13) PLACING '8' FROM 17)::uuid`;
const [blob, client, version, key, cutoff, hook, link] = [1, 2, 3, 4, 5, 6, 7].map(idOf);
const bytes = `convert_to(word, 'UTF8')`;
const hash = `sha256(convert_to(word || repository::text, 'UTF8'))`;

/** One row at least of each kind that a repository can have. Values that are not said are the tenant and the repository. */
const rows: [into: string, values: string][] = [
  [
    'repository_users (tenant_id, repository_id, id, login_name, email, name, password_hash)',
    `${person}, word, word || '@example.com', word, word`,
  ],
  [
    'clients (tenant_id, repository_id, id, kind, name, user_id, redirect_uris)',
    `'tool_' || ${client}, 'tool', word, ${person}, ARRAY[word]`,
  ],
  [
    'secret_versions (tenant_id, repository_id, client_id, id, hash, pepper_id, hint)',
    `'tool_' || ${client}, ${version}, ${hash}, 'k1', word`,
  ],
  ['client_keys (tenant_id, repository_id, client_id, id, kid, public_jwk)', `'tool_' || ${client}, ${version}, word, to_jsonb(word)`],
  [
    'api_keys (tenant_id, repository_id, user_id, id, name, hash, pepper_id, hint, permissions, expires_at, ended_at)',
    `${person}, ${key}, word, ${hash}, 'k1', word, '{}', now(), now()`,
  ],
  [
    'signing_keys (tenant_id, repository_id, kid, algorithm, public_jwk, private_key, encryption_key_id)',
    `word, 'ES256', '{}', ${bytes}, 'k1'`,
  ],
  [
    'content_nodes (tenant_id, repository_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)',
    `${person}, 2, word, '/Root/' || word, 'User', to_jsonb(ARRAY[word]), '{2}', 1, 1`,
  ],
  [
    'content_nodes (tenant_id, repository_id, id, parent_id, name, path, type, fields, permission_path, created_by, modified_by)',
    `${file}, 2, word, '/Root/Content/' || word, 'File', to_jsonb(ARRAY[word]), '{2}', 1, 1`,
  ],
  ['content_group_members (tenant_id, repository_id, group_id, member_id)', `7, ${person}`],
  ['content_permissions (tenant_id, repository_id, node_id, identity_id, bits)', `${file}, ${person}, 1`],
  ['content_references (tenant_id, repository_id, node_id, field, position, target_id)', `${file}, word, 0, ${person}`],
  ['content_trash (tenant_id, repository_id, node_id, name, parent_id, path, deleted_by)', `${file}, word, 2, word, 1`],
  ['content_blobs (tenant_id, repository_id, id, user_id, length, whole)', `${blob}, ${person}, 1, true`],
  ['content_blob_chunks (tenant_id, repository_id, blob_id, start, bytes)', `${blob}, 0, ${bytes}`],
  ['content_blob_objects (tenant_id, repository_id, blob_id, key)', `${blob}, repository || '/' || word`],
  [
    'content_binaries (tenant_id, repository_id, node_id, field, blob_id, file_name, content_type, length)',
    `${file}, word, ${blob}, word, word, 1`,
  ],
  ['totp_secrets (tenant_id, repository_id, user_id, secret, encryption_key_id, last_step)', `${person}, ${bytes}, 'k1', 0`],
  ['recovery_codes (tenant_id, repository_id, user_id, hash, pepper_id)', `${person}, ${hash}, 'k1'`],
  ['factor_guesses (tenant_id, repository_id, user_id)', `${person}`],
  [
    'passkeys (tenant_id, repository_id, user_id, id, credential_id, rp_id, public_key, sign_count, synced, name)',
    `${person}, ${key}, ${bytes}, word, ${bytes}, 0, true, word`,
  ],
  [
    'identity_providers (tenant_id, repository_id, id, kind, name, issuer, client_id, client_secret, encryption_key_id, allow_sign_up, email_domains, trusts_second_factor, enabled)',
    `word, 'oidc', word, word, word, ${bytes}, 'k1', true, ARRAY[word], true, true`,
  ],
  ['identity_links (tenant_id, repository_id, provider_id, subject, user_id)', `word, word, ${person}`],
  ['custom_domains (tenant_id, repository_id, domain, token)', `word || '.example.com', word`],
  ['repository_logos (tenant_id, repository_id, version, content_type, image)', `word, 'image/png', ${bytes}`],
  [
    'invitations (tenant_id, repository_id, hash, id, user_id, email, expires_at)',
    `${hash}, ${link}, ${person}, word, now() + interval '1 day'`,
  ],
  [
    'mailed_links (tenant_id, repository_id, id, purpose, user_id, address, key_id, expires_at)',
    `${link}, 'new-password', ${person}, word, 'k1', now() + interval '1 day'`,
  ],
  [
    'credential_uses (tenant_id, repository_id, credential_id, version_id, outcome, consumer, address, uses, first_used_at, last_used_at)',
    `'tool_' || ${client}, ${version}, 'accepted', word, word, 1, now(), now()`,
  ],
  [
    'daily_uses (tenant_id, repository_id, credential_id, day, outcome, of_api_key, uses)',
    `'tool_' || ${client}, current_date, 'accepted', false, 1`,
  ],
  [
    'call_counts (tenant_id, repository_id, period, starts_at, credential_id, user_id, calls, refused)',
    `'day', now(), 'tool_' || ${client}, ${person}, 1, 0`,
  ],
  [
    'cutoffs (tenant_id, repository_id, id, kind, secret_version_ids, effective_at)',
    `${cutoff}, 'secret.revoked', ARRAY[${version}], now()`,
  ],
  [
    'cutoff_reports (tenant_id, repository_id, cutoff_id, node_id, node_name, node_kind, refused_at)',
    `${cutoff}, ${cutoff}, 'node', 'authority', now()`,
  ],
  [
    'webhooks (tenant_id, repository_id, id, url, description, signing_secret, encryption_key_id)',
    `${hook}, 'https://' || word, word, ${bytes}, 'k1'`,
  ],
  [
    'webhook_deliveries (tenant_id, repository_id, webhook_id, id, event, payload, sealed_secret)',
    `${hook}, ${hook}, 'x', to_jsonb(word), word`,
  ],
  [
    'audit_events (tenant_id, repository_id, id, actor_kind, action, target_kind, target_id, details)',
    `${cutoff}, 'system', 'x', 'x', 'x', to_jsonb(word)`,
  ],
  // Those that do not say in a column whose they are.
  [
    'webhook_deliveries (tenant_id, repository_id, webhook_id, id, event, payload)',
    `NULL, ${hook}, ${cutoff}, 'webhook.test', to_jsonb(word)`,
  ],
  ['mails (tenant_id, id, template, data)', `${link}, 'person.invited', jsonb_build_object('repositoryId', repository, 'loginName', word)`],
  ['mails (tenant_id, id, template, data)', `${hook}, 'credential.due', jsonb_build_object('repository', slug, 'name', word)`],
  ['reminders (tenant_id, credential_id, reminder)', `${version}, 'age-30'`],
  ['reminders (tenant_id, credential_id, reminder)', `${key}, 'age-30'`],
  [
    'idempotency_keys (tenant_id, actor_id, key, fingerprint, answer, created_at)',
    `repository::text, word, ${bytes}, to_jsonb(word), now() - interval '30 days'`,
  ],
  [
    'oidc_records (repository_id, kind, id, payload, user_id, user_generation, user_agent, address)',
    `'Session', word, to_jsonb(word), ${person}, 1, word, word`,
  ],
  ['revoked_tokens (repository_id, id, expires_at)', `word, now() + interval '1 day'`],
];

/** What a tenant has beside its repositories, some of it at the console. */
const rowsOfTenant: [into: string, values: string][] = [
  ['clients (tenant_id, repository_id, id, kind, name, user_id)', `'member_' || ${client}, 'member', word, 1`],
  [
    'secret_versions (tenant_id, repository_id, client_id, id, hash, pepper_id, hint)',
    `'member_' || ${client}, ${link}, ${hash}, 'k1', word`,
  ],
  ['client_keys (tenant_id, repository_id, client_id, id, kid, public_jwk)', `'member_' || ${client}, ${version}, word, to_jsonb(word)`],
  [
    'credential_uses (tenant_id, repository_id, credential_id, version_id, outcome, consumer, address, uses, first_used_at, last_used_at)',
    `'member_' || ${client}, ${version}, 'accepted', word, word, 1, now(), now()`,
  ],
  ['members (tenant_id, repository_id, id, user_id, role)', `${link}, 1, 'owner'`],
  ['webhooks (tenant_id, id, url, signing_secret, encryption_key_id)', `${link}, 'https://' || word, ${bytes}, 'k1'`],
  ['webhook_deliveries (tenant_id, webhook_id, id, event, payload)', `${link}, ${version}, 'x', to_jsonb(word)`],
  ['mails (tenant_id, id, template, data)', `${version}, 'person.tenant-deleted', to_jsonb(word)`],
  ['reminders (tenant_id, credential_id, reminder)', `${link}, 'age-30'`],
];

/** Plants a row in every table, in a repository that was provisioned. */
export async function plant(owner: Owner, plot: Plot): Promise<void> {
  const rename = `UPDATE repositories SET name = $2, settings = settings || jsonb_build_object('allowedOrigins', ARRAY[$2]) WHERE id = $1`;
  await owner.query(rename, [plot.repositoryId, plot.word]);
  await insert(owner, rows, plot);
}

/** Plants the same word in what a tenant has beside its repositories. */
export async function plantTenant(owner: Owner, plot: Plot): Promise<void> {
  await owner.query(`UPDATE tenants SET settings = jsonb_build_object('note', $2::text) WHERE id = $1`, [plot.tenantId, plot.word]);
  const { rows: consoles } = await owner.query<{ id: string }>(`SELECT id FROM repositories WHERE slug = 'console'`);
  await insert(owner, rowsOfTenant, { ...plot, repositoryId: consoles[0]!.id });
}

async function insert(owner: Owner, planted: typeof rows, { tenantId, repositoryId, slug, word }: Plot): Promise<void> {
  for (const [into, values] of planted) {
    const own = [/tenant_id/.test(into) && 'tenant', /repository_id/.test(into) && !values.startsWith('NULL') && 'repository'];
    const text = `INSERT INTO ${into} SELECT ${[...own, values].filter(Boolean).join(', ')}
      FROM (SELECT $1::uuid AS tenant, $2::uuid AS repository, $3::text AS slug, $4::text AS word) AS plot`;
    await owner.query(text, [tenantId, repositoryId, slug, word]).catch((error: unknown) => {
      throw new Error(`nothing can be planted in ${into}`, { cause: error });
    });
  }
}
