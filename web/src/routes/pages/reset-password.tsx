import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { Door, FormError } from '../../features/account/door.tsx'
import { resetPassword } from '../../lib/identity.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Field, Input } from '../../ui/field.tsx'

const route = getRouteApi('/reset-password')

/** Sets a new password with the token of a reset link. */
export function ResetPasswordPage() {
  const { token } = route.useSearch()
  const [done, setDone] = useState(false)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await resetPassword(token ?? '', fieldOf(form, 'password'))
    setDone(true)
  })
  const toSignIn = (
    <Link to="/login" className="text-accent hover:underline">
      Sign in
    </Link>
  )
  if (token === undefined) {
    return (
      <Door
        title="Set a new password"
        says="This address lacks the token of a reset link. An organisation admin can make a link for you."
      >
        {toSignIn}
      </Door>
    )
  }
  if (done) {
    return (
      <Door title="Password changed" says="All other browsers were signed out.">
        {toSignIn}
      </Door>
    )
  }
  return (
    <Door title="Set a new password">
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field label="New password" help="At least 8 characters.">
          {(props) => (
            <Input
              {...props}
              name="password"
              type="password"
              autoComplete="new-password"
              required
              minLength={8}
              maxLength={128}
              autoFocus
            />
          )}
        </Field>
        <FormError error={error} />
        <Button type="submit" look="primary" busy={busy} className="h-9">
          Set password
        </Button>
      </form>
    </Door>
  )
}
