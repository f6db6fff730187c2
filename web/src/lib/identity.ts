import { GridError } from '@teamgrid/api'

/** The few calls of the identity service under `/api/auth` that a browser makes. Its answers set and clear the session cookie. */

async function post(path: string, body: unknown): Promise<void> {
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
  if (response.ok) return
  const answer = (await response.json().catch(() => ({}))) as { message?: string; code?: string }
  if (response.status === 429)
    throw new GridError('overloaded', 'Too many tries. Wait a minute and try again.')
  throw new GridError(
    response.status === 401 ? 'unauthenticated' : 'invalid',
    answer.message ?? `The server answered ${response.status}.`,
  )
}

/** @throws GridError unauthenticated when name and password do not fit. */
export const signIn = (email: string, password: string) =>
  post('sign-in/email', { email, password, rememberMe: true })

export const signOut = () => post('sign-out', {})

/** @param token from the reset link. */
export const resetPassword = (token: string, newPassword: string) =>
  post('reset-password', { token, newPassword })

export const changePassword = (currentPassword: string, newPassword: string) =>
  post('change-password', { currentPassword, newPassword, revokeOtherSessions: true })
