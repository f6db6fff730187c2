import { useState } from 'react'
import { goToProvider, passSecondFactor, signIn } from '../../lib/identity.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { tellError } from '../../ui/toast.tsx'
import { FormError } from './door.tsx'

/** E-mail and password, then the second factor of who has one. `onDone` runs when the session cookie is set. */
export function SignInForm({
  onDone,
  onChallenge,
}: {
  onDone: () => Promise<unknown>
  /** The password was right and a second factor is asked, or no longer. */
  onChallenge?: (isChallenged: boolean) => void
}) {
  const [isChallenged, setIt] = useState(false)
  const setChallenged = (is: boolean) => {
    setIt(is)
    onChallenge?.(is)
  }
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const { needsSecondFactor } = await signIn(fieldOf(form, 'email').trim(), fieldOf(form, 'password'))
    if (needsSecondFactor) setChallenged(true)
    else await onDone()
  })
  if (isChallenged) return <SecondFactor onDone={onDone} onBack={() => setChallenged(false)} />
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

function SecondFactor({ onDone, onBack }: { onDone: () => Promise<unknown>; onBack: () => void }) {
  const [isBackup, setBackup] = useState(false)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await passSecondFactor(fieldOf(form, 'code').replaceAll(/\s/g, ''), isBackup)
    await onDone()
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field
        key={String(isBackup)}
        label={isBackup ? 'Backup code' : 'Code of your app'}
        help={
          isBackup
            ? 'One of those you kept when you set this up; it works once.'
            : 'Six digits; a new one every half minute.'
        }
      >
        {(props) => (
          <Input
            {...props}
            name="code"
            required
            autoFocus
            autoComplete="one-time-code"
            {...(isBackup ? {} : { inputMode: 'numeric' as const, pattern: '[0-9 ]{6,7}', maxLength: 7 })}
            className="font-mono tracking-widest"
          />
        )}
      </Field>
      <FormError error={error} />
      <Button type="submit" look="primary" busy={busy} className="h-9">
        Continue
      </Button>
      <div className="flex justify-between">
        <Button look="ghost" small onClick={onBack}>
          Back
        </Button>
        <Button look="ghost" small onClick={() => setBackup(!isBackup)}>
          {isBackup ? 'Use the app' : 'Use a backup code'}
        </Button>
      </div>
    </form>
  )
}

/** A button for each identity provider of this server. */
export function ProviderButtons({
  providers,
  next,
}: {
  providers: readonly { id: string; name: string }[]
  next: string
}) {
  const [going, setGoing] = useState<string>()
  return (
    <div className="flex flex-col gap-2">
      {providers.map(({ id, name }) => (
        <Button
          key={id}
          className="h-9"
          busy={going === id}
          onClick={() => {
            setGoing(id)
            goToProvider(id, next).catch((problem: unknown) => {
              setGoing(undefined)
              tellError(problem instanceof Error ? problem : new Error(String(problem)))
            })
          }}
        >
          Continue with {name}
        </Button>
      ))}
    </div>
  )
}
