import { commonEnvironment, loginUrl, plan, refuseMakeshiftProduction, refuseWrongAddresses } from './plan.js';

const options = { portBase: 4000, dataDir: '/data', credentialsFile: undefined, authorities: 1, repositoryApis: 1 };

describe('the plan', () => {
  it('gives a lone process the port of its app', () => {
    const { processes, ports } = plan(options, {});
    expect(processes.map(({ name, port, environment }) => [name, port, environment['PORT'], environment['REUSE_PORT']])).toEqual([
      ['tenant-api', 4000, '4000', undefined],
      ['authority', 4100, '4100', undefined],
      ['repository-api', 4200, '4200', undefined],
      ['worker', 4300, '4300', undefined],
    ]);
    expect(ports.map(({ port }) => port)).toEqual([4000, 4100, 4200, 4300]);
  });

  it('lets several processes share a port and reach each one alone', () => {
    const { processes, ports } = plan({ ...options, authorities: 2, repositoryApis: 2 }, {});
    expect(processes.filter(({ app }) => app === 'authority')).toEqual([
      {
        name: 'authority-1',
        app: 'authority',
        port: 4101,
        environment: {
          HOST: '127.0.0.1',
          PORT: '4100',
          REUSE_PORT: 'true',
          NODE_PORT: '4101',
          NODE_NAME: 'authority-1',
          DRAIN_SECONDS: '1',
        },
      },
      {
        name: 'authority-2',
        app: 'authority',
        port: 4102,
        environment: {
          HOST: '127.0.0.1',
          PORT: '4100',
          REUSE_PORT: 'true',
          NODE_PORT: '4102',
          NODE_NAME: 'authority-2',
          DRAIN_SECONDS: '1',
        },
      },
    ]);
    expect(ports.map(({ port }) => port)).toEqual([4000, 4100, 4200, 4300, 4101, 4102, 4201, 4202]);
  });

  it('tells every process the addresses that people use, which the environment may set', () => {
    const outer = { AUTHORITY_URL_TEMPLATE: 'https://{repository}.id.example.com', PATH: '/bin' };
    const environment = commonEnvironment(
      outer,
      options,
      plan(options, outer),
      { secretPeppers: 'p', keyEncryptionKeys: 'k', loginPassword: 'l' },
      'postgres://x',
    );
    expect(environment).toEqual({
      PATH: '/bin',
      DATABASE_URL: 'postgres://x',
      SECRET_PEPPERS: 'p',
      KEY_ENCRYPTION_KEYS: 'k',
      AUTHORITY_URL_TEMPLATE: 'https://{repository}.id.example.com',
      REPOSITORY_URL_TEMPLATE: 'http://localhost:4200/{repository}',
      TENANT_API_URL: 'http://localhost:4000',
      PORTAL_URL: 'http://localhost:4000',
      MAIL_DIR: '/data/mail',
      NEW_TENANTS: 'open',
      FEDERATION_ALLOW_PRIVATE_ADDRESSES: 'true',
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
      CLIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
    });
  });

  it('names the login after the database, so that two installations on one server keep apart', () => {
    expect(loginUrl('postgres://owner:o@db:5432/latchkey?sslmode=require', 'new')).toBe(
      'postgres://latchkey:new@db:5432/latchkey?sslmode=require',
    );
    expect(loginUrl('postgres://owner@db/second', 'new')).toBe('postgres://latchkey_second:new@db/second');
  });
});

describe('the address of a database of one’s own', () => {
  it.each(['DATABASE_URL', 'DATABASE_OWNER_URL'])('is refused by the name of %s, and not printed, when it is none', (name) => {
    for (const address of ['hunter2', 'mysql://root:hunter2@db/latchkey', 'db.example.com:5432']) {
      expect(() => refuseWrongAddresses({ [name]: address })).toThrow(new RegExp(`^${name} must be an address (?!.*hunter2)`));
    }
    for (const address of ['', 'postgres://a:b@db/x', 'postgresql://db/x?sslmode=require']) {
      expect(() => refuseWrongAddresses({ [name]: address })).not.toThrow();
    }
  });
});

describe('production', () => {
  it('refuses the embedded database and generated keys, naming what is missing', () => {
    expect(() => refuseMakeshiftProduction({ NODE_ENV: 'production', SECRET_PEPPERS: 'x' })).toThrow(
      /: set DATABASE_URL, KEY_ENCRYPTION_KEYS\.$/,
    );
    expect(() =>
      refuseMakeshiftProduction({ NODE_ENV: 'production', DATABASE_URL: 'x', SECRET_PEPPERS: 'x', KEY_ENCRYPTION_KEYS: 'x' }),
    ).not.toThrow();
    expect(() => refuseMakeshiftProduction({ NODE_ENV: 'development' })).not.toThrow();
  });
});
