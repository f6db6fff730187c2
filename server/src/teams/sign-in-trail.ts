/**
 * What goes on at the sign-in endpoints, for the audit log: who was refused, whose password or second factor changed.
 * Sign-ins that succeed are written by `sso.ts`, in the transaction without which there is no session. The endpoints are
 * those of better-auth, which changes its tables without a transaction of ours; so a line here follows the act.
 */
import type { Kysely } from 'kysely'
import { type Acting, record } from '../activity.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Attempts } from './attempts.ts'
import { findUserByEmail, findUserById } from './store.ts'

/**
 * Lines about refusals: so many for one address and for all together in a quarter of an hour. Somebody who guesses is
 * seen with the first few, and must not fill the log, which nobody may ever empty.
 */
const refusals = { windowSeconds: 15 * 60, ofOneAddress: 10, ofAll: 200 }
const bodyBytesMax = 16 * 1024

type Visit = { path: string; body: Record<string, unknown>; address: string | null }

/** Acts of somebody who is signed in, by endpoint. */
const changes: Record<string, object> = {
  '/change-password': { what: 'password' },
  // Of somebody who is in already, this is the end of enrolling.
  '/two-factor/verify-totp': { what: 'second factor', to: 'on' },
  '/two-factor/disable': { what: 'second factor', to: 'off' },
  '/two-factor/generate-backup-codes': { what: 'backup codes' },
  '/unlink-account': { what: 'identity provider', to: 'unlinked' },
}

export function createSignInTrail({ db, attempts }: { db: Kysely<Database>; attempts: Attempts }) {
  /**
   * Lets a request be answered and writes down what came of it.
   *
   * @param answer the sign-in endpoints themselves.
   * @param whoIs the person of the request's session, if there is one.
   * @param whoseToken the person whom a link for a new password belongs to.
   */
  async function watch(
    request: Request,
    address: string | null,
    {
      answer,
      whoIs,
      whoseToken,
    }: {
      answer: (request: Request) => Promise<Response>
      whoIs: (headers: Headers) => Promise<string | undefined>
      whoseToken: (token: string) => Promise<string | undefined>
    },
  ): Promise<Response> {
    const path = new URL(request.url).pathname.replace(/^\/api\/auth/, '')
    const visit = { path, body: await bodyOf(request), address }
    const change = changes[path]
    // Before the act, which ends sessions and uses links up.
    const userId = change
      ? await whoIs(request.headers)
      : path === '/reset-password'
        ? await whoseToken(tokenOf(request, visit))
        : undefined
    const response = await answer(request)
    if (userId !== undefined && response.ok)
      await changed(visit, userId, change ?? { what: 'password', by: 'link' })
    else {
      const reason = await refusalOf(visit, response)
      if (reason !== undefined) await refused(visit, reason)
    }
    return response
  }

  async function changed({ address }: Visit, userId: string, details: object): Promise<void> {
    const user = await findUserById(db, userId)
    await record(db, { ...nobody(address), userId, via: 'cookie' }, 'user:sign-in-change', {
      teamId: null,
      kind: 'user',
      id: userId,
      details: { ...(user ? { username: user.username } : {}), ...details },
    })
  }

  async function refused({ path, body, address }: Visit, reason: string): Promise<void> {
    const { windowSeconds } = refusals
    const ofOne = await attempts.count(`refused ${address ?? ''}`, windowSeconds)
    if (ofOne.count > refusals.ofOneAddress) return
    const ofAll = await attempts.count('refused', windowSeconds)
    if (ofAll.count > refusals.ofAll) return
    const isLast = ofOne.count === refusals.ofOneAddress || ofAll.count === refusals.ofAll
    const email = emailOf(body)
    const user = email === undefined ? undefined : await findUserByEmail(db, email)
    await record(db, nobody(address), 'user:sign-in-refused', {
      teamId: null,
      kind: 'user',
      id: user?.id ?? 'unknown',
      details: {
        ...(user ? { username: user.username } : email === undefined ? {} : { email }),
        by: path.startsWith('/callback/')
          ? path.slice('/callback/'.length)
          : path.startsWith('/two-factor/')
            ? 'second factor'
            : 'password',
        reason,
        ...(isLast ? { further: `not written for ${windowSeconds / 60} minutes` } : {}),
      },
    })
  }

  return { watch }
}

const nobody = (address: string | null): Acting => ({
  userId: null,
  via: 'none',
  client: 'web',
  address,
  attributedTo: null,
})

/** Why somebody was not let in; undefined for everything else. */
async function refusalOf({ path, body }: Visit, response: Response): Promise<string | undefined> {
  if (path.startsWith('/callback/')) {
    const location = response.headers.get('location') ?? ''
    return URL.canParse(location, 'http://here')
      ? (new URL(location, 'http://here').searchParams.get('error')?.slice(0, 100) ?? undefined)
      : undefined
  }
  const isDoor = path === '/sign-in/email' || path.startsWith('/two-factor/verify-')
  if (!isDoor || response.ok || response.status >= 500) return undefined
  // A form sent half is nobody's try.
  if (path === '/sign-in/email' && emailOf(body) === undefined) return undefined
  if (response.status === 429) return 'too many tries'
  const { code } = (await response
    .clone()
    .json()
    .catch(() => ({}))) as { code?: unknown }
  return typeof code === 'string' ? code.toLowerCase().replaceAll('_', ' ').slice(0, 100) : 'refused'
}

function tokenOf({ url }: Request, { body: { token } }: Visit): string {
  return typeof token === 'string' ? token : (new URL(url).searchParams.get('token') ?? '')
}

/** What looks like an address; people type passwords into the wrong field, and the log keeps everything. */
function emailOf(body: Record<string, unknown>): string | undefined {
  const email = body['email']
  return typeof email === 'string' && /^[^\s@]{1,64}@[^\s@]{1,190}$/.test(email) ? email : undefined
}

async function bodyOf(request: Request): Promise<Record<string, unknown>> {
  if (request.method !== 'POST') return {}
  const text = await request.clone().text()
  if (text.length > bodyBytesMax) return {}
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
