import { basic, form, type Call, type Reply } from './connections.js';
import type { Presentation } from './history.js';
import type { Credential } from './holdings.js';
import { acceptRefresh, silentSignIn } from './sign-in.js';
import type { App } from './installation.js';

/** One way to present one kind of credential to one kind of process, and how to read the answer. */
export interface Way {
  name: string;
  app: App;
  kinds: Credential['kind'][];
  call: (credential: Credential) => Call;
  /** Nothing when the answer says neither yes nor no. */
  judge: (reply: Reply) => 'accepted' | 'refused' | undefined;
}

/** 200 or a refusal. A repository that is not active is not there (404). */
const byStatus = ({ status }: Reply) => (status === 200 ? 'accepted' : [400, 401, 403, 404].includes(status ?? 0) ? 'refused' : undefined);

const bearer = (credential: Credential) => ({ authorization: `Bearer ${credential.value}` });

/** Every way there is. */
export const ways: Way[] = [
  {
    name: 'token, Basic',
    app: 'authority',
    kinds: ['secret'],
    call: ({ repository, tool, value }) => {
      const { headers, body } = form({ grant_type: 'client_credentials' });
      const authorization = basic(tool?.clientId ?? '', value);
      return { method: 'POST', path: `/${repository.slug}/connect/token`, headers: { ...headers, authorization }, body };
    },
    judge: byStatus,
  },
  {
    name: 'token, form',
    app: 'authority',
    kinds: ['secret'],
    call: ({ repository, tool, value }) => ({
      method: 'POST',
      path: `/${repository.slug}/connect/token`,
      ...form({ grant_type: 'client_credentials', client_id: tool?.clientId ?? '', client_secret: value }),
    }),
    judge: byStatus,
  },
  {
    name: 'introspection',
    app: 'authority',
    kinds: ['tool-token', 'user-token'],
    call: ({ repository, value }) => {
      const { headers, body } = form({ token: value });
      const authorization = basic(repository.inspector?.tool?.clientId ?? '', repository.inspector?.value ?? '');
      return { method: 'POST', path: `/${repository.slug}/connect/introspect`, headers: { ...headers, authorization }, body };
    },
    judge: ({ status, text }) => {
      if (status === 404) return 'refused';
      if (status !== 200) return undefined;
      return (JSON.parse(text) as { active: boolean }).active ? 'accepted' : 'refused';
    },
  },
  {
    name: 'userinfo',
    app: 'authority',
    kinds: ['user-token'],
    call: (credential) => ({ method: 'GET', path: `/${credential.repository.slug}/connect/userinfo`, headers: bearer(credential) }),
    judge: byStatus,
  },
  { name: 'refresh', app: 'authority', kinds: ['refresh-token'], call: acceptRefresh, judge: byStatus },
  {
    name: 'silent sign-in',
    app: 'authority',
    kinds: ['session'],
    call: silentSignIn,
    judge: ({ status, headers }) => {
      if (status === 404) return 'refused';
      const target = URL.parse(String(headers['location'] ?? ''));
      if (status !== 303 || !target) return undefined;
      if (target.searchParams.has('code')) return 'accepted';
      return target.searchParams.get('error') === 'login_required' ? 'refused' : undefined;
    },
  },
  {
    name: 'tenant API, bearer',
    app: 'tenant-api',
    kinds: ['tenant-token'],
    call: (credential) => ({ method: 'GET', path: '/v1/tenant', headers: bearer(credential) }),
    judge: byStatus,
  },
  {
    name: 'odata, bearer',
    app: 'repository-api',
    kinds: ['tool-token', 'user-token'],
    call: (credential) => ({ method: 'GET', path: `/${credential.repository.slug}/odata.svc/('Root')`, headers: bearer(credential) }),
    judge: byStatus,
  },
  {
    name: 'odata, key in the header',
    app: 'repository-api',
    kinds: ['api-key'],
    call: ({ repository, value }) => ({ method: 'GET', path: `/${repository.slug}/odata.svc/('Root')`, headers: { apikey: value } }),
    judge: byStatus,
  },
  {
    name: 'odata, key in the address',
    app: 'repository-api',
    kinds: ['api-key'],
    call: ({ repository, value }) => ({ method: 'GET', path: `/${repository.slug}/odata.svc/('Root')?apikey=${value}` }),
    judge: byStatus,
  },
];

/** What the history keeps of an attempt. */
export function presentation(credential: string, node: string, way: Way, reply: Reply): Presentation {
  const outcome = reply.status === undefined ? undefined : way.judge(reply);
  return {
    type: 'presentation',
    credential,
    node,
    way: way.name,
    outcome: outcome ?? 'unanswered',
    answer: String(reply.status ?? reply.fault),
    begin: reply.begin,
    end: reply.end,
  };
}
