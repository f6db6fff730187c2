import { signIn } from '../../lib/identity.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { FormError } from './door.tsx'

/** E-mail and password. `onDone` runs when the session cookie is set. */
export function SignInForm({ onDone }: { onDone: () => Promise<unknown> }) {
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await signIn(fieldOf(form, 'email').trim(), fieldOf(form, 'password'))
    await onDone()
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field label="E-mail">
        {(props) => <Input {...props} name="email" type="email" autoComplete="username" required autoFocus />}
      </Field>
      <Field label="Password">
        {(props) => (
          <Input {...props} name="password" type="password" autoComplete="current-password" required />
        )}
      </Field>
      <FormError error={error} />
      <Button type="submit" look="primary" busy={busy} className="h-9">
        Sign in
      </Button>
    </form>
  )
}
