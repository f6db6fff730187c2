import { GridError } from '@teamgrid/api'

/** The few calls of the identity service under `/api/auth` that a browser makes. Its answers set and clear the session cookie. */

async function post<Answer = unknown>(path: string, body: unknown): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(`/api/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      credentials: 'same-origin',
    })
  } catch (cause) {
    throw new GridError('unavailable', 'The server does not answer. Check the connection and try again.', {
      cause,
    })
  }
  if (response.ok) return (await response.json().catch(() => ({}))) as Answer
  const answer = (await response.json().catch(() => ({}))) as { message?: string; code?: string }
  if (response.status === 429)
    throw new GridError('overloaded', 'Too many tries. Wait a minute and try again.')
  throw new GridError(
    response.status === 401 ? 'unauthenticated' : 'invalid',
    answer.message ?? `The server answered ${response.status}.`,
  )
}

/**
 * @returns whether a second factor is asked for before one is in.
 * @throws GridError unauthenticated when name and password do not fit.
 */
export async function signIn(email: string, password: string): Promise<{ needsSecondFactor: boolean }> {
  const answer = await post<{ twoFactorRedirect?: boolean }>('sign-in/email', {
    email,
    password,
    rememberMe: true,
  })
  return { needsSecondFactor: answer.twoFactorRedirect === true }
}

/** The code of the app, or one of the backup codes; passing it ends the sign-in, or the enrolling. */
export const passSecondFactor = (code: string, isBackup = false) =>
  post(isBackup ? 'two-factor/verify-backup-code' : 'two-factor/verify-totp', { code })

/** Begins enrolling; it counts once a first code was passed. */
export const beginSecondFactor = (password: string) =>
  post<{ totpURI: string; backupCodes: string[] }>('two-factor/enable', { password })

export const endSecondFactor = (password: string) => post('two-factor/disable', { password })

export const newBackupCodes = (password: string) =>
  post<{ backupCodes: string[] }>('two-factor/generate-backup-codes', { password })

/** Leaves for the identity provider, who sends the person back to `next`. */
export async function goToProvider(provider: string, next: string): Promise<void> {
  const errorCallbackURL = `/login?next=${encodeURIComponent(next)}`
  const { url } = await post<{ url: string }>('sign-in/social', {
    provider,
    callbackURL: next,
    errorCallbackURL,
  })
  location.assign(url)
}

/** The same for somebody who is signed in and wants to come that way from now on. */
export async function linkProvider(provider: string): Promise<void> {
  const { url } = await post<{ url: string }>('link-social', { provider, callbackURL: '/settings' })
  location.assign(url)
}

/** How I may sign in: with a second factor or not, and by which accounts. */
export async function mySignIn(): Promise<{ hasSecondFactor: boolean; accounts: string[] }> {
  const get = async (path: string) => (await fetch(`/api/auth/${path}`)).json() as Promise<unknown>
  const [session, accounts] = await Promise.all([get('get-session'), get('list-accounts')])
  return {
    hasSecondFactor:
      (session as { user?: { twoFactorEnabled?: boolean } } | null)?.user?.twoFactorEnabled === true,
    accounts: Array.isArray(accounts)
      ? (accounts as { providerId: string }[]).map(({ providerId }) => providerId)
      : [],
  }
}

export const signOut = () => post('sign-out', {})

/** @param token from the reset link. */
export const resetPassword = (token: string, newPassword: string) =>
  post('reset-password', { token, newPassword })

export const changePassword = (currentPassword: string, newPassword: string) =>
  post('change-password', { currentPassword, newPassword, revokeOtherSessions: true })
