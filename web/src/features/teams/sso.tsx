import type { GroupRole, Sso, SsoChange, SsoProvider, SsoVerdict } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Checkbox, Field, Input, TextArea } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { ssoQuery } from './queries.ts'

const names: Record<SsoProvider, string> = { oidc: 'OpenID Connect', github: 'GitHub', google: 'Google' }

/** Providers, who may come in through them, and what they get. */
export function SingleSignOn() {
  const settings = useQuery(ssoQuery())
  if (settings.isError) return <Problem error={settings.error} retry={() => void settings.refetch()} />
  if (settings.data === undefined) return <SkeletonRows rows={8} />
  return (
    <>
      {settings.data.missing !== null && (
        <p role="status" className="rounded-md border border-warn/40 bg-warn-wash px-3 py-2 text-[13px]">
          {settings.data.missing}
        </p>
      )}
      <Providers settings={settings.data} />
      <Access key={JSON.stringify(settings.data)} settings={settings.data} />
      <Groups settings={settings.data} />
    </>
  )
}

function useSaved() {
  const queries = useQueryClient()
  return async (next: Sso) => {
    queries.setQueryData(ssoQuery().queryKey, next)
    tell('Saved')
    await queries.invalidateQueries({ queryKey: api.instance.key() })
  }
}

function Fixed() {
  return (
    <span title="The environment of the server sets it; it cannot be changed here.">
      <Tag>set by the server</Tag>
    </span>
  )
}

function Providers({ settings }: { settings: Sso }) {
  const saved = useSaved()
  const [editing, setEditing] = useState<SsoProvider>()
  const [removing, setRemoving] = useState<SsoProvider>()
  const [testing, setTesting] = useState<SsoProvider>()
  return (
    <Section title="Identity providers" says="A button for each stands on the sign-in page." flush>
      <ul className="divide-y divide-line">
        {(['oidc', 'github', 'google'] as const).map((provider) => {
          const set = settings[provider]
          const isFixed = settings.fixed.includes(provider)
          return (
            <li key={provider} className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 py-3">
              <div className="min-w-0 flex-1 basis-56">
                <div className="flex flex-wrap items-center gap-2 font-medium">
                  {names[provider]}
                  {set === null ? <Tag>off</Tag> : <Tag tone="good">✓ on</Tag>}
                  {isFixed && <Fixed />}
                </div>
                <p className="text-[13px] [overflow-wrap:anywhere] text-ink-soft">
                  {set === null
                    ? provider === 'oidc'
                      ? 'Okta, Keycloak, Entra ID, Auth0, GitLab and everything else that speaks it.'
                      : `People sign in with their ${names[provider]} account.`
                    : provider === 'oidc'
                      ? `“${settings.oidc!.name}” at ${settings.oidc!.issuer}, client ${set.clientId}`
                      : `Client ${set.clientId}`}
                </p>
              </div>
              <div className="flex gap-2">
                {set !== null && (
                  <Button small onClick={() => setTesting(provider)}>
                    Test
                  </Button>
                )}
                {!isFixed && set !== null && (
                  <Button small look="danger" onClick={() => setRemoving(provider)}>
                    Remove
                  </Button>
                )}
                {!isFixed && (
                  <Button
                    small
                    look={set === null ? 'primary' : 'plain'}
                    disabled={settings.missing !== null}
                    onClick={() => setEditing(provider)}
                  >
                    {set === null ? 'Set up' : 'Change'}
                  </Button>
                )}
              </div>
            </li>
          )
        })}
      </ul>
      <Dialog
        open={editing !== undefined}
        onClose={() => setEditing(undefined)}
        title={editing === undefined ? '' : names[editing]}
      >
        {editing !== undefined && (
          <ProviderForm provider={editing} settings={settings} onDone={() => setEditing(undefined)} />
        )}
      </Dialog>
      <Dialog
        open={testing !== undefined}
        onClose={() => setTesting(undefined)}
        title={testing === undefined ? '' : `Test of ${names[testing]}`}
      >
        {testing !== undefined && <TestOfStored provider={testing} />}
      </Dialog>
      <Confirm
        open={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={removing === undefined ? '' : `Remove ${names[removing]}?`}
        says="Nobody can sign in through it any more. Accounts stay; who has no password needs a link for a new one."
        verb="Remove"
        act={async () => {
          if (removing !== undefined) await saved(await grid.organisation.changeSso({ [removing]: null }))
        }}
      />
    </Section>
  )
}

function ProviderForm({
  provider,
  settings,
  onDone,
}: {
  provider: SsoProvider
  settings: Sso
  onDone: () => void
}) {
  const saved = useSaved()
  const set = settings[provider]
  const [verdict, setVerdict] = useState<SsoVerdict>()
  const [isTesting, setTesting] = useState(false)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await saved(await grid.organisation.changeSso(changeOf(provider, form)))
    onDone()
  })
  async function test(form: FormData) {
    setTesting(true)
    const secret = fieldOf(form, 'secret')
    try {
      setVerdict(
        await grid.organisation.testSso({
          provider,
          clientId: fieldOf(form, 'clientId').trim(),
          ...(provider === 'oidc' ? { issuer: fieldOf(form, 'issuer').trim() } : {}),
          ...(secret === '' ? {} : { clientSecret: secret }),
        }),
      )
    } catch (problem) {
      tellError(problem)
    } finally {
      setTesting(false)
    }
  }
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <p className="text-[13px] text-ink-soft">
        Make a client for a web application at {provider === 'oidc' ? 'your provider' : names[provider]}, with
        this callback url:
      </p>
      <CommandBlock text={settings.callbackUrls[provider] ?? ''} />
      {provider === 'oidc' && (
        <>
          <Field label="Issuer" help="Its /.well-known/openid-configuration is looked up.">
            {(props) => (
              <Input
                {...props}
                name="issuer"
                type="url"
                required
                autoFocus
                maxLength={1000}
                placeholder="https://login.example.org"
                defaultValue={settings.oidc?.issuer ?? ''}
              />
            )}
          </Field>
          <Field label="Name on the button">
            {(props) => (
              <Input
                {...props}
                name="name"
                required
                maxLength={60}
                defaultValue={settings.oidc?.name ?? 'Single sign-on'}
              />
            )}
          </Field>
        </>
      )}
      <Field label="Client id">
        {(props) => (
          <Input
            {...props}
            name="clientId"
            required
            maxLength={500}
            spellCheck={false}
            autoComplete="off"
            defaultValue={set?.clientId ?? ''}
            className="font-mono"
          />
        )}
      </Field>
      <Field
        label="Client secret"
        help={
          set?.hasSecret
            ? 'Empty keeps the one that is there. It is never shown again.'
            : 'Kept encrypted, and never shown again.'
        }
      >
        {(props) => (
          <Input
            {...props}
            name="secret"
            type="password"
            required={!set?.hasSecret}
            maxLength={2000}
            autoComplete="new-password"
          />
        )}
      </Field>
      {provider === 'oidc' && (
        <details className="text-[13px] text-ink-soft" open={false}>
          <summary>Scopes and groups</summary>
          <div className="mt-2 flex flex-col gap-3">
            <Field label="Scopes" help="Separated by spaces.">
              {(props) => (
                <Input
                  {...props}
                  name="scopes"
                  required
                  maxLength={1000}
                  defaultValue={(settings.oidc?.scopes ?? ['openid', 'profile', 'email']).join(' ')}
                />
              )}
            </Field>
            <Field label="Claim that lists groups">
              {(props) => (
                <Input
                  {...props}
                  name="groupsClaim"
                  required
                  maxLength={200}
                  defaultValue={settings.oidc?.groupsClaim ?? 'groups'}
                />
              )}
            </Field>
          </div>
        </details>
      )}
      {verdict !== undefined && <Verdict verdict={verdict} />}
      <FormError error={error} />
      <div className="flex justify-end gap-2">
        <Button
          busy={isTesting}
          onClick={(event) => {
            const { form } = event.currentTarget
            if (form) void test(new FormData(form))
          }}
        >
          Test this provider
        </Button>
        <Button type="submit" look="primary" busy={busy}>
          Save
        </Button>
      </div>
    </form>
  )
}

function changeOf(provider: SsoProvider, form: FormData): SsoChange {
  const secret = fieldOf(form, 'secret')
  const client = {
    clientId: fieldOf(form, 'clientId').trim(),
    ...(secret === '' ? {} : { clientSecret: secret }),
  }
  if (provider !== 'oidc') return { [provider]: client }
  return {
    oidc: {
      ...client,
      issuer: fieldOf(form, 'issuer').trim(),
      name: fieldOf(form, 'name').trim(),
      scopes: wordsOf(fieldOf(form, 'scopes')),
      groupsClaim: fieldOf(form, 'groupsClaim').trim(),
    },
  }
}

function TestOfStored({ provider }: { provider: SsoProvider }) {
  const test = useQuery({
    queryKey: ['sso test', provider],
    queryFn: () => grid.organisation.testSso({ provider }),
    gcTime: 0,
    retry: false,
  })
  if (test.isError) return <Problem error={test.error} retry={() => void test.refetch()} />
  if (test.data === undefined) return <SkeletonRows rows={3} />
  return <Verdict verdict={test.data} />
}

function Verdict({ verdict }: { verdict: SsoVerdict }) {
  return (
    <ul
      role="status"
      className="flex flex-col gap-1 rounded-md border border-line bg-sunken px-3 py-2 text-[13px]"
    >
      {verdict.checks.map(({ ok, says }) => (
        <li key={says} className="flex gap-2 [overflow-wrap:anywhere]">
          <span aria-hidden className={ok ? 'text-good' : 'text-bad'}>
            {ok ? '✓' : '✗'}
          </span>
          <span>
            <span className="sr-only">{ok ? 'Good: ' : 'Bad: '}</span>
            {says}
          </span>
        </li>
      ))}
    </ul>
  )
}

/** Who may come in, where they are then, and whether passwords are off. */
function Access({ settings }: { settings: Sso }) {
  const saved = useSaved()
  const isFixed = (key: string) => settings.fixed.includes(key)
  const [only, setOnly] = useState(settings.only)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await saved(
      await grid.organisation.changeSso({
        ...(isFixed('domains') ? {} : { domains: wordsOf(fieldOf(form, 'domains')) }),
        ...(isFixed('joinTeams') ? {} : { joinTeams: wordsOf(fieldOf(form, 'joinTeams')).map(joinOf) }),
        ...(isFixed('only') ? {} : { only }),
        ...(isFixed('breakGlass') ? {} : { breakGlass: wordsOf(fieldOf(form, 'breakGlass')) }),
      }),
    )
  })
  const fixed = (key: string) => (isFixed(key) ? ' Set by the server’s environment.' : '')
  return (
    <Section title="Who comes in">
      <form onSubmit={onSubmit} className="flex max-w-2xl flex-col gap-4">
        <Field
          label="Domains"
          help={`People whose provider has verified an address of these need no invitation; others do.${fixed('domains')}`}
        >
          {(props) => (
            <Input
              {...props}
              name="domains"
              placeholder="example.org example.com"
              spellCheck={false}
              disabled={isFixed('domains')}
              defaultValue={settings.domains.join(' ')}
            />
          )}
        </Field>
        <Field
          label="Teams they join"
          help={`With the first sign-in; who leaves stays away. Write labs:viewer for view-only.${fixed('joinTeams')}`}
        >
          {(props) => (
            <Input
              {...props}
              name="joinTeams"
              placeholder="vision labs:viewer"
              spellCheck={false}
              disabled={isFixed('joinTeams')}
              defaultValue={settings.joinTeams
                .map(({ team, role }) => (role === 'viewer' ? `${team}:viewer` : team))
                .join(' ')}
            />
          )}
        </Field>
        <Field
          label="Break-glass admins"
          help={`Organisation admins who keep their password for the day the provider is away.${fixed('breakGlass')}`}
        >
          {(props) => (
            <Input
              {...props}
              name="breakGlass"
              placeholder="ada"
              spellCheck={false}
              autoCapitalize="none"
              disabled={isFixed('breakGlass')}
              defaultValue={settings.breakGlass.join(' ')}
            />
          )}
        </Field>
        <div>
          <Checkbox
            label="Only through identity providers: no passwords"
            checked={only}
            disabled={isFixed('only')}
            onChange={(event) => setOnly(event.target.checked)}
          />
          <p className="mt-1 text-[13px] text-ink-faint">
            API keys go on working.{fixed('only')} Locked out? On the server:{' '}
            <code className="font-mono">teamgrid admin sso set --only off</code>
          </p>
        </div>
        <FormError error={error} />
        <Button type="submit" look="primary" busy={busy} className="self-start">
          Save
        </Button>
      </form>
    </Section>
  )
}

function Groups({ settings }: { settings: Sso }) {
  const saved = useSaved()
  const [editing, setEditing] = useState(false)
  const isFixed = settings.fixed.includes('roles')
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const roles = fieldOf(form, 'roles')
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean)
      .map(roleOf)
    await saved(await grid.organisation.changeSso({ roles }))
    setEditing(false)
  })
  return (
    <Section
      title="Roles by group"
      says="Groups of the OpenID provider give these at every sign-in, and take them again."
      actions={
        isFixed ? (
          <Fixed />
        ) : (
          <Button small onClick={() => setEditing(true)}>
            Change
          </Button>
        )
      }
      flush
    >
      {settings.roles.length === 0 ? (
        <p className="px-4 py-3 text-ink-faint">No group gives anything yet.</p>
      ) : (
        <PlainTable label="Roles by group" head={['Group', 'Gives']}>
          {settings.roles.map((role) => (
            <tr key={lineOf(role)}>
              <td className="font-mono">{role.group}</td>
              <td>{'team' in role ? `${role.role} of ${role.team}` : 'admin of the organisation'}</td>
            </tr>
          ))}
        </PlainTable>
      )}
      <Dialog open={editing} onClose={() => setEditing(false)} title="Roles by group">
        <form onSubmit={onSubmit} className="flex flex-col gap-3">
          <Field
            label="A line for each"
            help="ml-people = vision:member, or it-admins = organisation. Roles that people gave are never lowered."
          >
            {(props) => (
              <TextArea
                {...props}
                name="roles"
                rows={8}
                spellCheck={false}
                className="font-mono"
                placeholder={'ml-people = vision:member\nit-admins = organisation'}
                defaultValue={settings.roles.map(lineOf).join('\n')}
              />
            )}
          </Field>
          <FormError error={error} />
          <Button type="submit" look="primary" busy={busy} className="self-end">
            Save
          </Button>
        </form>
      </Dialog>
    </Section>
  )
}

const wordsOf = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean)

function joinOf(text: string): NonNullable<SsoChange['joinTeams']>[number] {
  const [team = '', role = 'member'] = text.split(':')
  if (role !== 'member' && role !== 'viewer')
    throw new Error(`“${text}” must look like vision or vision:viewer.`)
  return { team, role }
}

const lineOf = (role: GroupRole): string =>
  `${role.group} = ${'team' in role ? `${role.team}:${role.role}` : 'organisation'}`

/** What a group is called may hold an equals sign; what it gives may not. */
function roleOf(line: string): GroupRole {
  const at = line.lastIndexOf('=')
  const group = line.slice(0, at).trim()
  const gives = line.slice(at + 1).trim()
  if (at > 0 && group !== '' && gives === 'organisation') return { group, organisation: 'admin' }
  const [, team, role] = /^([^:\s]+):(admin|member|viewer)$/.exec(gives) ?? []
  if (at > 0 && group !== '' && team !== undefined)
    return { group, team, role: role as 'admin' | 'member' | 'viewer' }
  throw new Error(`“${line}” must look like ml-people = vision:member.`)
}

function FormError({ error }: { error: Error | undefined }) {
  if (error === undefined) return null
  return (
    <p role="alert" className="text-[13px] text-bad">
      {error.message}
    </p>
  )
}
