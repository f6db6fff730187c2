/** Every setting of the server, its default and its reason. Read once, in `main.ts`. */
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { GridError } from '@teamgrid/api'
import { readSso, ssoHelp } from './sso-config.ts'
import type { SsoSettings } from './teams/sso.ts'
import { type PrivateAddresses, readPrivateAddresses } from './lib/outbound.ts'

export type Config = {
  /** All state lives here; see `defaultDataDir`. */
  dataDir: string
  /** Default 0.0.0.0: the point of the server is that team mates reach it, and nobody enters without an invitation. */
  host: string
  /** Default 8080, which W&B's own server uses too; 0 takes any free one. */
  port: number
  /** The address people and clients reach us at; signed urls and printed links start with it. No trailing slash. */
  publicUrl: string
  /** False when `publicUrl` is only a guess for this machine, because nobody set TEAMGRID_URL. */
  publicUrlIsSet: boolean
  databaseUrl: string | null
  clickhouseUrl: string | null
  s3: S3Config | null
  /** Null: no mail is sent, and links that would be in it are shown to be copied. */
  mail: MailConfig | null
  /** Private addresses that webhooks may go to; none by default, as the server may reach what its users must not. */
  privateWebhooks: PrivateAddresses
  /** Private addresses that datastores may be fetched from; none by default, for the same reason. */
  privateSources: PrivateAddresses
  /** Proxies whose word about where a request came from is believed; by default those on this machine. */
  trustedProxies: string[]
  /** What the environment fixes of single sign-on; the rest is the organisation's to set. */
  sso: Partial<SsoSettings>
  /** Whether runs may go to the machine of the server, and what keeps them apart from it. */
  local: LocalConfig
  /** Also make a team with live example experiments. */
  demo: boolean
}

/** `auto`: bubblewrap where it works, else this machine runs nothing. `none`: programs can read what the server can. */
export type LocalConfig = { isolation: 'auto' | 'bwrap' | 'none' | 'off' }

export type S3Config = {
  endpoint: string | null
  region: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  /** Needed by SeaweedFS, MinIO and most servers that are not Amazon's. */
  forcePathStyle: boolean
}

export type MailConfig = {
  /** May hold a password: never printed. */
  url: string
  from: string
}

type Environment = Record<string, string | undefined>

/** What `teamgrid start --help` prints. */
export const configHelp = `Usage: teamgrid start [--demo] [--data DIR] [--host HOST] [--port PORT] [--url URL]

Settings (an option wins over the environment):
  --data DIR   TEAMGRID_DATA   where all state lives (~/.teamgrid; for root /var/lib/teamgrid)
  --host HOST  TEAMGRID_HOST   address to listen on (0.0.0.0; 127.0.0.1 keeps others out)
  --port PORT  TEAMGRID_PORT   port to listen on (8080)
  --url URL    TEAMGRID_URL    the address people and training scripts use (http://localhost:PORT)
  --demo                       also make a team with live example experiments

Services of your own instead of the embedded ones:
  DATABASE_URL                 postgres://user:password@host:5432/database
  CLICKHOUSE_URL               http://user:password@host:8123/database
  S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_REGION (us-east-1),
  S3_ENDPOINT (for a store that is not Amazon's), S3_FORCE_PATH_STYLE (true with S3_ENDPOINT)

Mail (without it, links are shown to be copied):
  SMTP_URL                     smtp://user:password@host:587, or smtps://…:465
  MAIL_FROM                    grid@example.org, or "Teamgrid <grid@example.org>"

Runs on the machine of the server:
  TEAMGRID_LOCAL               auto: in bubblewrap, where that works (the default); bwrap: or do not start;
                               none: without anything that keeps them from the server's own files; off

Behind a proxy on another machine, whose X-Forwarded-For, -Proto and -Host are to be believed:
  TEAMGRID_TRUSTED_PROXIES     loopback (the default), none, or addresses and networks such as loopback,10.0.3.7

Webhooks of alerts, and identity providers that admins enter, lie at public addresses only, unless allowed:
  TEAMGRID_PRIVATE_WEBHOOKS    networks such as 10.1.0.0/16,192.168.7.9, or all
Datastores are fetched from public addresses only, unless allowed:
  TEAMGRID_PRIVATE_SOURCES     the same
${ssoHelp}`

/**
 * @param env usually `process.env`; a variable that is set but empty counts as not set.
 * @param argv the arguments after the program's name.
 * @throws GridError invalid: one sentence that names the setting and what it should look like.
 */
export function readConfig(env: Environment, argv: string[]): Config {
  const options = readOptions(argv)
  const setting = (name: string) => env[name]?.trim() || undefined
  const port = readPort(options.port ?? setting('TEAMGRID_PORT') ?? '8080')
  const url = options.url ?? setting('TEAMGRID_URL')
  return {
    dataDir: readDataDir(options.data ?? setting('TEAMGRID_DATA')),
    host: options.host ?? setting('TEAMGRID_HOST') ?? '0.0.0.0',
    port,
    publicUrl: url === undefined ? `http://localhost:${port}` : readPublicUrl(url),
    publicUrlIsSet: url !== undefined,
    databaseUrl: readDatabaseUrl(setting('DATABASE_URL')),
    clickhouseUrl: readClickhouseUrl(setting('CLICKHOUSE_URL')),
    s3: readS3(setting),
    mail: readMail(setting),
    privateWebhooks: readPrivateAddresses(setting('TEAMGRID_PRIVATE_WEBHOOKS')),
    privateSources: readPrivateAddresses(setting('TEAMGRID_PRIVATE_SOURCES'), 'TEAMGRID_PRIVATE_SOURCES'),
    trustedProxies: readTrustedProxies(setting('TEAMGRID_TRUSTED_PROXIES')),
    sso: readSso(setting, url !== undefined),
    local: { isolation: readLocal(setting('TEAMGRID_LOCAL')) },
    demo: options.demo,
  }
}

/** Root's home is closed to the system user that Postgres runs as, so root's state lives where services keep theirs. */
export function defaultDataDir(isRoot = process.getuid?.() === 0): string {
  return isRoot ? '/var/lib/teamgrid' : join(homedir(), '.teamgrid')
}

function readOptions(argv: string[]) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        data: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        url: { type: 'string' },
        demo: { type: 'boolean', default: false },
      },
    })
    return values
  } catch (cause) {
    throw new GridError('invalid', `${(cause as Error).message.split('.')[0]}.`, {
      hint: 'See "teamgrid start --help".',
      cause,
    })
  }
}

function readDataDir(given: string | undefined): string {
  if (given === undefined) return defaultDataDir()
  // A ~ in a service's settings file is not expanded by any shell.
  return resolve(given === '~' || given.startsWith('~/') ? join(homedir(), given.slice(1)) : given)
}

function readPort(given: string): number {
  const port = Number(given)
  if (/^\d+$/.test(given) && port <= 65_535) return port
  throw new GridError('invalid', `TEAMGRID_PORT is "${given}"; it must be a number from 0 to 65535.`)
}

function readPublicUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  const isPlain = url && url.pathname === '/' && !url.search && !url.hash && !url.username
  if (isPlain && /^https?:$/.test(url.protocol)) return url.origin
  throw new GridError(
    'invalid',
    `TEAMGRID_URL is "${given}"; it must look like https://grid.example.org, without a path.`,
  )
}

/**
 * Who else may say where a request came from could say anything: limits on guesses of passwords and the audit log
 * hang on it. So not everybody, and a number of hops is no proof either.
 */
function readTrustedProxies(given: string | undefined): string[] {
  if (given === undefined) return ['loopback']
  if (/^(none|no|off|false)$/i.test(given)) return []
  const proxies = given
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean)
  const wrong = proxies.find((proxy) => !isProxy(proxy))
  if (wrong === undefined) return proxies
  throw new GridError(
    'invalid',
    `TEAMGRID_TRUSTED_PROXIES: "${wrong}" must be loopback, linklocal, uniquelocal, an address or a network such as 10.1.0.0/16.`,
  )
}

function isProxy(given: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(given)) return true
  const [address = '', bits, ...rest] = given.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  // A network of everybody is no network of proxies.
  return (
    bits === undefined ||
    (/^\d+$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128))
  )
}

function readLocal(given: string | undefined): LocalConfig['isolation'] {
  const found = (['auto', 'bwrap', 'none', 'off'] as const).find((each) => each === (given ?? 'auto'))
  if (found) return found
  throw new GridError('invalid', `TEAMGRID_LOCAL is "${given}"; it must be auto, bwrap, none or off.`)
}

function readDatabaseUrl(given: string | undefined): string | null {
  if (given === undefined) return null
  if (URL.canParse(given) && /^postgres(ql)?:$/.test(new URL(given).protocol)) return given
  // The value is not repeated, as it may hold a password.
  throw new GridError(
    'invalid',
    'DATABASE_URL is not a Postgres address; it must look like postgres://user:password@host:5432/database.',
  )
}

function readClickhouseUrl(given: string | undefined): string | null {
  if (given === undefined) return null
  if (URL.canParse(given) && /^https?:$/.test(new URL(given).protocol)) return given
  throw new GridError(
    'invalid',
    'CLICKHOUSE_URL is not an HTTP address; it must look like http://user:password@host:8123/database.',
  )
}

const s3Settings = ['S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const

function readS3(setting: (name: string) => string | undefined): S3Config | null {
  const given = [...s3Settings, 'S3_ENDPOINT', 'S3_REGION', 'S3_FORCE_PATH_STYLE'].filter(setting)
  if (given.length === 0) return null
  const missing = s3Settings.filter((name) => !setting(name))
  // Half a configuration would quietly store files on the local disk.
  if (missing.length > 0)
    throw new GridError(
      'invalid',
      `${given[0]} is set, but ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not.`,
    )
  const endpoint = setting('S3_ENDPOINT') ?? null
  if (endpoint !== null && !(URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol)))
    throw new GridError('invalid', `S3_ENDPOINT is "${endpoint}"; it must look like http://127.0.0.1:8333.`)
  return {
    endpoint,
    region: setting('S3_REGION') ?? 'us-east-1',
    bucket: setting('S3_BUCKET')!,
    accessKeyId: setting('S3_ACCESS_KEY_ID')!,
    secretAccessKey: setting('S3_SECRET_ACCESS_KEY')!,
    forcePathStyle: readBoolean('S3_FORCE_PATH_STYLE', setting('S3_FORCE_PATH_STYLE')) ?? endpoint !== null,
  }
}

function readMail(setting: (name: string) => string | undefined): MailConfig | null {
  const url = setting('SMTP_URL')
  const from = setting('MAIL_FROM')
  if (url === undefined && from === undefined) return null
  if (url === undefined) throw new GridError('invalid', 'MAIL_FROM is set, but SMTP_URL is not.')
  // The value is not repeated, as it may hold a password.
  if (!URL.canParse(url) || !/^smtps?:$/.test(new URL(url).protocol) || !new URL(url).hostname)
    throw new GridError(
      'invalid',
      'SMTP_URL is not the address of a mail server; it must look like smtp://user:password@host:587.',
    )
  if (from === undefined) throw new GridError('invalid', 'SMTP_URL is set, but MAIL_FROM is not.')
  if (!/^(?:[^<>@\p{Cc}]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/u.test(from))
    throw new GridError(
      'invalid',
      `MAIL_FROM is "${from}"; it must look like grid@example.org or Teamgrid <grid@example.org>.`,
    )
  return { url, from }
}

function readBoolean(name: string, given: string | undefined): boolean | undefined {
  if (given === undefined) return undefined
  if (/^(true|1|yes|on)$/i.test(given)) return true
  if (/^(false|0|no|off)$/i.test(given)) return false
  throw new GridError('invalid', `${name} is "${given}"; it must be true or false.`)
}
