import { grid } from '../../lib/client.ts'
import { signIn } from '../../lib/identity.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { FormError } from './door.tsx'

/**
 * Makes an account and signs it in: the organisation's first admin with the one-time setup token, a new member with an
 * invitation, or anybody where sign-up is open.
 */
export function SignUpForm({
  setupToken,
  invitation,
  email,
  onDone,
}: {
  setupToken?: string | undefined
  invitation?: string | undefined
  email?: string | undefined
  onDone: () => Promise<unknown>
}) {
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const password = fieldOf(form, 'password')
    const name = fieldOf(form, 'name').trim()
    const person = {
      username: fieldOf(form, 'username').trim(),
      email: fieldOf(form, 'email').trim(),
      password,
      ...(name === '' ? {} : { name }),
    }
    if (setupToken !== undefined) await grid.instance.setUp({ ...person, token: setupToken })
    else await grid.instance.signUp({ ...person, ...(invitation === undefined ? {} : { invitation }) })
    await signIn(person.email, password)
    await onDone()
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field label="Username" help="Short, for commands and addresses; it also names your personal team.">
        {(props) => (
          <Input
            {...props}
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            maxLength={64}
            pattern="[A-Za-z0-9](?:[A-Za-z0-9._@+\-]{0,62}[A-Za-z0-9])?"
            title="Letters, digits, dot, dash and underscore; starting and ending with a letter or digit"
            autoFocus
          />
        )}
      </Field>
      <Field label="Full name (optional)">
        {(props) => <Input {...props} name="name" autoComplete="name" maxLength={200} />}
      </Field>
      <Field label="E-mail">
        {(props) => (
          <Input
            {...props}
            name="email"
            type="email"
            autoComplete="email"
            required
            defaultValue={email}
            readOnly={email !== undefined}
          />
        )}
      </Field>
      <Field label="Password" help="At least 8 characters.">
        {(props) => (
          <Input
            {...props}
            name="password"
            type="password"
            autoComplete="new-password"
            required
            minLength={8}
            maxLength={128}
          />
        )}
      </Field>
      <FormError error={error} />
      <Button type="submit" look="primary" busy={busy} className="h-9">
        Create account
      </Button>
    </form>
  )
}
