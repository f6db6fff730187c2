import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { renderSVG } from 'uqr'
import { api } from '../../lib/client.ts'
import {
  beginSecondFactor,
  endSecondFactor,
  linkProvider,
  mySignIn,
  newBackupCodes,
  passSecondFactor,
} from '../../lib/identity.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { Section } from '../../ui/layout.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { FormError } from './door.tsx'

const mySignInQuery = { queryKey: ['my sign-in'], queryFn: mySignIn }

/** A second factor for who signs in by password, and the identity providers one may come through. */
export function SignInSecurity() {
  const queries = useQueryClient()
  const mine = useQuery(mySignInQuery)
  const about = useQuery(api.instance.about.queryOptions())
  const [doing, setDoing] = useState<'enrol' | 'codes' | 'end'>()
  if (mine.data === undefined) return null
  const { hasSecondFactor, accounts } = mine.data
  const hasPassword = accounts.includes('credential')
  const providers = about.data?.signIn.providers ?? []
  const close = () => {
    setDoing(undefined)
    void queries.invalidateQueries({ queryKey: mySignInQuery.queryKey })
  }
  return (
    <Section title="Signing in">
      <div className="flex flex-col gap-4">
        {hasPassword && (
          <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
            <div className="min-w-0 flex-1 basis-64">
              <div className="flex items-center gap-2 font-medium">
                Second factor {hasSecondFactor ? <Tag tone="good">✓ on</Tag> : <Tag>off</Tag>}
              </div>
              <p className="text-[13px] text-ink-soft">
                After the password, a code of an app on your phone. API keys and scripts are not affected.
              </p>
            </div>
            {hasSecondFactor ? (
              <div className="flex gap-2">
                <Button small onClick={() => setDoing('codes')}>
                  New backup codes
                </Button>
                <Button small look="danger" onClick={() => setDoing('end')}>
                  Turn off
                </Button>
              </div>
            ) : (
              <Button small look="primary" onClick={() => setDoing('enrol')}>
                Set up
              </Button>
            )}
          </div>
        )}
        {providers.map(({ id, name }) => (
          <div key={id} className="flex items-center gap-3">
            <span className="flex-1 font-medium">{name}</span>
            {accounts.includes(id) ? (
              <Tag tone="good">✓ linked</Tag>
            ) : (
              <Button small onClick={() => void linkProvider(id).catch(tellError)}>
                Link
              </Button>
            )}
          </div>
        ))}
        {!hasPassword && providers.length > 0 && (
          <p className="text-[13px] text-ink-soft">
            You have no password here; your identity provider lets you in.
          </p>
        )}
      </div>
      <Dialog open={doing === 'enrol'} onClose={close} title="Set up a second factor">
        <Enrol onDone={close} />
      </Dialog>
      <Dialog open={doing === 'codes'} onClose={close} title="New backup codes">
        <FreshCodes onDone={close} />
      </Dialog>
      <Dialog open={doing === 'end'} onClose={close} title="Turn the second factor off">
        <PasswordStep
          says="Your password alone opens your account again."
          verb="Turn off"
          act={async (password) => {
            await endSecondFactor(password)
            tell('The second factor is off')
            close()
          }}
        />
      </Dialog>
    </Section>
  )
}

function Enrol({ onDone }: { onDone: () => void }) {
  const [begun, setBegun] = useState<{ totpURI: string; backupCodes: string[] }>()
  const [isProven, setProven] = useState(false)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await passSecondFactor(fieldOf(form, 'code').replaceAll(/\s/g, ''))
    setProven(true)
  })
  if (begun === undefined)
    return (
      <PasswordStep
        says="First your password, so that nobody does this at your open screen."
        verb="Continue"
        act={async (password) => setBegun(await beginSecondFactor(password))}
      />
    )
  if (isProven) return <Codes codes={begun.backupCodes} onDone={onDone} />
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <p className="text-ink-soft">Scan this with an authenticator app, then type the code it shows.</p>
      <QrCode text={begun.totpURI} />
      <details className="text-[13px] text-ink-soft">
        <summary>No camera? Type the key into the app.</summary>
        <p className="mt-1 font-mono break-all">{new URL(begun.totpURI).searchParams.get('secret')}</p>
      </details>
      <Field label="Code of your app">
        {(props) => (
          <Input
            {...props}
            name="code"
            required
            autoFocus
            inputMode="numeric"
            autoComplete="one-time-code"
            pattern="[0-9 ]{6,7}"
            maxLength={7}
            className="font-mono tracking-widest"
          />
        )}
      </Field>
      <FormError error={error} />
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Turn on
      </Button>
    </form>
  )
}

/** Black on white in the dark as well: cameras want it so. */
function QrCode({ text }: { text: string }) {
  const svg = useMemo(() => renderSVG(text, { border: 2 }), [text])
  return (
    <img
      src={`data:image/svg+xml;utf8,${encodeURIComponent(svg)}`}
      alt="QR code of the key; the key itself stands below"
      className="mx-auto size-48 rounded-md border border-line bg-white"
    />
  )
}

function FreshCodes({ onDone }: { onDone: () => void }) {
  const [codes, setCodes] = useState<string[]>()
  return codes === undefined ? (
    <PasswordStep
      says="The old codes stop working."
      verb="Make new codes"
      act={async (password) => setCodes((await newBackupCodes(password)).backupCodes)}
    />
  ) : (
    <Codes codes={codes} onDone={onDone} />
  )
}

function Codes({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  return (
    <div className="flex flex-col gap-3">
      <p className="text-ink-soft">
        Keep these backup codes where your phone is not. Each lets you in once when it is lost; they are not
        shown again.
      </p>
      <CommandBlock text={codes.join('\n')} />
      <div className="flex justify-end gap-2">
        <Button onClick={() => download(codes)}>Download</Button>
        <Button look="primary" onClick={onDone}>
          I have kept them
        </Button>
      </div>
    </div>
  )
}

function PasswordStep({
  says,
  verb,
  act,
}: {
  says: string
  verb: string
  act: (password: string) => Promise<void>
}) {
  const { busy, error, onSubmit } = useSubmit((form) => act(fieldOf(form, 'password')))
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <p className="text-ink-soft">{says}</p>
      <Field label="Password">
        {(props) => (
          <Input
            {...props}
            name="password"
            type="password"
            autoComplete="current-password"
            required
            autoFocus
          />
        )}
      </Field>
      <FormError error={error} />
      <Button type="submit" look="primary" busy={busy} className="self-end">
        {verb}
      </Button>
    </form>
  )
}

/** As a file of text, made here: the codes go nowhere else. */
function download(codes: readonly string[]): void {
  const text = `Backup codes for Teamgrid at ${location.host}, ${new Date().toISOString().slice(0, 10)}.\nEach works once.\n\n${codes.join('\n')}\n`
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  link.download = `teamgrid-backup-codes-${location.hostname}.txt`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
