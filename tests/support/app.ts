/** The whole server inside the test's process: real Postgres (a database of its own), real chDB, files in a folder. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contract, createClient, type GridClient } from '@teamgrid/api'
import { ensureInstance } from '../../server/src/instance.ts'
import { type Clock, systemClock } from '../../server/src/lib/clock.ts'
import { randomText } from '../../server/src/lib/ids.ts'
import type { PrivateAddresses } from '../../server/src/lib/outbound.ts'
import type { MailSettings } from '../../server/src/mail/mailer.ts'
import { openBlobStore } from '../../server/src/stores/blob/open.ts'
import { createMetricStore } from '../../server/src/stores/clickhouse/metric-store.ts'
import { openClickHouse } from '../../server/src/stores/clickhouse/open.ts'
import type { Database } from '../../server/src/stores/postgres/schema.ts'
import { testDatabase } from '../../server/src/stores/postgres/testing.ts'
import type { SsoSettings } from '../../server/src/teams/sso.ts'
import { wire } from '../../server/src/wiring.ts'

export type TestApp = Awaited<ReturnType<typeof startApp>>

/** A person of a test: acts through REST by key or, without one, by the cookie of a browser session. */
export type TestPerson = GridClient & {
  username: string
  email: string
  password: string
  key: string
  cookie: string
}

const origin = 'http://teamgrid.test'

let addresses = 0
const anAddress = () => `10.0.${(addresses += 1) >> 8}.${addresses & 255}`

/** Call once per file, and `close` at its end: the metric engine binds one folder per process. */
export async function startApp(
  options: {
    clock?: Clock
    mail?: MailSettings
    privateWebhooks?: PrivateAddresses
    privateSources?: PrivateAddresses
    sso?: Partial<SsoSettings>
    trustedProxies?: string[]
  } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-app-'))
  const postgres = await testDatabase<Database>()
  const clickhouse = await openClickHouse({ url: null, path: join(folder, 'metrics') })
  const metrics = createMetricStore(clickhouse)
  const blobs = await openBlobStore({ s3: null, dataDir: folder })
  const operatorToken = randomBytes(32).toString('base64url')
  const errors: string[] = []
  const wired = await wire(
    { db: postgres.db, metrics, blobs, ready: () => postgres.ping() },
    {
      secret: await ensureInstance(postgres.db),
      operatorToken,
      publicUrl: origin,
      sso: options.sso ?? {},
      mail: options.mail ?? null,
      privateWebhooks: options.privateWebhooks ?? [],
      privateSources: options.privateSources ?? [],
      scratch: join(folder, 'imports'),
      ...(options.trustedProxies ? { trustedProxies: options.trustedProxies } : {}),
      clock: options.clock ?? systemClock,
      log: (text, error) =>
        void errors.push(`${text}: ${error instanceof Error ? error.stack : String(error)}`),
    },
  )
  const { app } = wired
  await app.ready()

  /** `fetch` that never leaves the process. */
  async function inject(request: Request): Promise<Response> {
    const body =
      request.method === 'GET' || request.method === 'HEAD'
        ? undefined
        : Buffer.from(await request.arrayBuffer())
    const url = new URL(request.url)
    const answer = await app.inject({
      method: request.method as 'GET',
      url: url.pathname + url.search,
      headers: { ...Object.fromEntries(request.headers), host: 'teamgrid.test' },
      ...(body?.length ? { payload: body } : {}),
    })
    const headers = new Headers()
    for (const [name, value] of Object.entries(answer.headers)) {
      for (const each of [value].flat()) if (each !== undefined) headers.append(name, String(each))
    }
    const isEmpty = [204, 304].includes(answer.statusCode)
    return new Response(isEmpty ? null : new Uint8Array(answer.rawPayload), {
      status: answer.statusCode,
      headers,
    })
  }

  function clientWith(headers: Record<string, string>): GridClient {
    const client = createClient({ url: origin, headers: () => headers, fetch: inject })
    // A plain object: the client itself answers to every name, so nothing can be added to it.
    const nouns = Object.keys(contract) as (keyof GridClient)[]
    return Object.fromEntries(nouns.map((noun) => [noun, client[noun]])) as unknown as GridClient
  }
  const operator = clientWith({ authorization: `Bearer ${operatorToken}` })

  async function signIn(email: string, password: string): Promise<string> {
    const answer = await inject(
      new Request(`${origin}/api/auth/sign-in/email`, {
        method: 'POST',
        // Everybody in a test sits elsewhere, or they would share the limit on guesses of passwords.
        headers: { 'content-type': 'application/json', origin, 'x-forwarded-for': anAddress() },
        body: JSON.stringify({ email, password }),
      }),
    )
    if (!answer.ok) throw new Error(`Sign-in of ${email}: ${answer.status} ${await answer.text()}`)
    return answer.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';')[0])
      .join('; ')
  }

  /** Somebody new, in no team but their own. `byCookie` acts as their browser does. */
  async function aPerson(
    given: { username?: string; admin?: boolean; byCookie?: boolean } = {},
  ): Promise<TestPerson> {
    const username = given.username ?? `p${randomText(8)}`
    const email = `${username}@example.org`
    const password = 'correct horse battery'
    const key = randomText(40)
    await operator.users.create({ username, email, password, apiKey: key, admin: given.admin ?? false })
    const cookie = given.byCookie ? await signIn(email, password) : ''
    const client = given.byCookie
      ? clientWith({ cookie, origin })
      : clientWith({ authorization: `Bearer ${key}` })
    return { ...client, username, email, password, key, cookie }
  }

  /** A fresh team with one person in each role, a service account, a removed member and an outsider. */
  async function aTeam() {
    const slug = `t${randomText(8)}`
    const [admin, member, mate, viewer, removed, outsider] = await Promise.all([
      aPerson(),
      aPerson(),
      aPerson(),
      aPerson({ byCookie: true }),
      aPerson(),
      aPerson(),
    ])
    await operator.teams.create({ slug, admin: admin.username })
    for (const [person, role] of [
      [member, 'member'],
      [mate, 'member'],
      [viewer, 'viewer'],
      [removed, 'member'],
    ] as const) {
      await operator.teams.addMember({ team: slug, username: person.username, role })
    }
    const account = await admin.teams.createServiceAccount({ team: slug, username: `s${randomText(8)}` })
    const service = {
      ...clientWith({ authorization: `Bearer ${account.key.secret}` }),
      username: account.member.username,
      key: account.key.secret,
    }
    await admin.teams.removeMember({ team: slug, username: removed.username })
    return { slug, admin, member, mate, viewer, service, removed, outsider }
  }

  return {
    ...wired,
    db: postgres.db,
    metrics,
    blobs,
    origin,
    operator,
    operatorToken,
    /** Unexpected errors the server logged; a test that ends with any has found a bug. */
    errors,
    inject,
    clientWith,
    signIn,
    aPerson,
    aTeam,
    async close() {
      await wired.datastores.closeImports()
      await app.close()
      await wired.alerts.settled()
      await wired.mailer.close()
      await metrics.close()
      await blobs.close()
      await postgres.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
