import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultDataDir, readConfig } from './config.ts'

const s3 = { S3_BUCKET: 'grid', S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'secret' }

test.each([
  [{ TEAMGRID_PORT: 'http' }, 'TEAMGRID_PORT is "http"; it must be a number from 0 to 65535.'],
  [{ TEAMGRID_PORT: '65536' }, 'TEAMGRID_PORT is "65536"'],
  [{ TEAMGRID_PORT: '-1' }, 'TEAMGRID_PORT is "-1"'],
  [{ TEAMGRID_URL: 'grid.example.org' }, 'TEAMGRID_URL is "grid.example.org"; it must look like https://'],
  [{ TEAMGRID_URL: 'https://example.org/grid' }, 'without a path'],
  [{ TEAMGRID_URL: 'ftp://example.org' }, 'TEAMGRID_URL is "ftp://example.org"'],
  [{ DATABASE_URL: 'mysql://host/db' }, 'DATABASE_URL is not a Postgres address'],
  [{ CLICKHOUSE_URL: 'host:9000' }, 'CLICKHOUSE_URL is not an HTTP address'],
  [{ S3_BUCKET: 'grid' }, 'S3_BUCKET is set, but S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are not.'],
  [{ S3_ENDPOINT: 'http://127.0.0.1:8333' }, 'S3_ENDPOINT is set, but S3_BUCKET'],
  [{ ...s3, S3_ENDPOINT: 'localhost' }, 'S3_ENDPOINT is "localhost"'],
  [{ ...s3, S3_FORCE_PATH_STYLE: 'perhaps' }, 'S3_FORCE_PATH_STYLE is "perhaps"; it must be true or false.'],
  [{ MAIL_FROM: 'grid@example.org' }, 'MAIL_FROM is set, but SMTP_URL is not.'],
  [{ SMTP_URL: 'smtp://localhost' }, 'SMTP_URL is set, but MAIL_FROM is not.'],
  [{ SMTP_URL: 'http://localhost', MAIL_FROM: 'grid@example.org' }, 'SMTP_URL is not the address'],
  [{ TEAMGRID_PRIVATE_WEBHOOKS: 'intranet' }, 'TEAMGRID_PRIVATE_WEBHOOKS: "intranet" is neither'],
  [{ TEAMGRID_TRUSTED_PROXIES: '2' }, 'TEAMGRID_TRUSTED_PROXIES: "2" must be loopback'],
  [{ TEAMGRID_TRUSTED_PROXIES: 'loopback,0.0.0.0/0' }, '"0.0.0.0/0" must be'],
  [{ SMTP_URL: 'smtp://localhost', MAIL_FROM: 'a@b\nBcc: c@d' }, 'it must look like grid@example.org'],
])('%j is refused with a sentence', (env, sentence) => {
  expect(() => readConfig(env, [])).toThrow(
    expect.objectContaining({ code: 'invalid', message: expect.stringContaining(sentence) }),
  )
})

test('a password in a wrong address is not repeated', () => {
  expect(() => readConfig({ DATABASE_URL: 'postgre://ada:secret@host/db' }, [])).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('secret') }),
  )
})

test.each([[['--demon']], [['surprise']], [['--port']]])('the arguments %j are refused', (argv) => {
  expect(() => readConfig({}, argv)).toThrow(expect.objectContaining({ code: 'invalid' }))
})

test('nothing set means everything embedded, on port 8080', () => {
  expect(readConfig({ DATABASE_URL: '' }, [])).toEqual({
    dataDir: defaultDataDir(),
    host: '0.0.0.0',
    local: { isolation: 'auto' },
    port: 8080,
    publicUrl: 'http://localhost:8080',
    publicUrlIsSet: false,
    databaseUrl: null,
    clickhouseUrl: null,
    s3: null,
    sso: {},
    mail: null,
    privateSources: [],
    privateWebhooks: [],
    trustedProxies: ['loopback'],
    demo: false,
  })
})

test('state lives in the home, for root where services keep theirs', () => {
  expect(defaultDataDir(false)).toBe(join(homedir(), '.teamgrid'))
  expect(defaultDataDir(true)).toBe('/var/lib/teamgrid')
  expect(readConfig({ TEAMGRID_DATA: '~/grid' }, []).dataDir).toBe(join(homedir(), 'grid'))
  expect(readConfig({ TEAMGRID_DATA: 'grid' }, []).dataDir).toBe(join(process.cwd(), 'grid'))
})

test('an option wins over the environment', () => {
  const config = readConfig(
    { TEAMGRID_PORT: '1', TEAMGRID_DATA: '/a', TEAMGRID_URL: 'https://grid.example.org/' },
    ['--port', '9000', '--data=/b', '--demo'],
  )
  expect(config).toMatchObject({
    port: 9000,
    dataDir: '/b',
    publicUrl: 'https://grid.example.org',
    publicUrlIsSet: true,
    demo: true,
  })
})

test('an S3 store that is not Amazon’s gets path-style addresses unless told otherwise', () => {
  expect(readConfig(s3, []).s3).toMatchObject({ endpoint: null, region: 'us-east-1', forcePathStyle: false })
  const env = { ...s3, S3_ENDPOINT: 'http://127.0.0.1:8333' }
  expect(readConfig(env, []).s3).toMatchObject({ forcePathStyle: true })
  expect(readConfig({ ...env, S3_FORCE_PATH_STYLE: 'false' }, []).s3).toMatchObject({ forcePathStyle: false })
})

const withProvider = {
  TEAMGRID_URL: 'https://grid.example.org',
  OIDC_ISSUER: 'https://login.example.org',
  OIDC_CLIENT_ID: 'grid',
  OIDC_CLIENT_SECRET: 's',
}

test('an identity provider is read with what its groups give', () => {
  const { sso } = readConfig(
    {
      ...withProvider,
      SSO_DOMAINS: 'Example.org, example.com',
      SSO_ROLES: '{"ml": "team:vision:member", "it": "organisation:admin"}',
      SSO_ONLY: 'true',
      SSO_BREAK_GLASS: 'ada',
    },
    [],
  )
  expect(sso).toMatchObject({
    oidc: { name: 'Single sign-on', scopes: ['openid', 'profile', 'email'], groupsClaim: 'groups' },
    domains: ['example.org', 'example.com'],
    only: true,
    breakGlass: ['ada'],
    roles: [
      { group: 'ml', team: 'vision', role: 'member' },
      { group: 'it', organisation: 'admin' },
    ],
  })
})

test.each([
  [{ GITHUB_CLIENT_ID: 'x' }, 'belong together'],
  [{ OIDC_ISSUER: 'https://login.example.org' }, 'belong together'],
  [{ ...withProvider, OIDC_ISSUER: 'login' }, 'OIDC_ISSUER is "login"'],
  [{ ...withProvider, TEAMGRID_URL: '' }, 'needs TEAMGRID_URL'],
  [{ ...withProvider, SSO_ONLY: 'true' }, 'SSO_BREAK_GLASS'],
  [{ SSO_ONLY: 'true' }, 'no identity provider'],
  [{ SSO_JOIN_TEAMS: 'vision:admin' }, 'SSO_JOIN_TEAMS: "vision:admin"'],
  [{ ...withProvider, SSO_ROLES: '{"x": "king"}' }, 'SSO_ROLES must look like'],
])('half a setting of single sign-on is refused by name: %j', (env, says) => {
  expect(() => readConfig(env, [])).toThrow(says)
})

test.each([
  ['none', []],
  ['loopback, 10.0.0.7,fd00::/8', ['loopback', '10.0.0.7', 'fd00::/8']],
])('the trusted proxies "%s" are %j', (given, proxies) => {
  expect(readConfig({ TEAMGRID_TRUSTED_PROXIES: given }, []).trustedProxies).toEqual(proxies)
})
