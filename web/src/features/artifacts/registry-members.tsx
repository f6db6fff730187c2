import type { RegistryDetails, RegistryMemberInfo } from '@teamgrid/api'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { Input, Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { tell, tellError } from '../../ui/toast.tsx'

type Role = RegistryMemberInfo['role']
const roles = {
  admin: 'Admin: changes it and its members',
  member: 'Member: links versions',
  viewer: 'Viewer: looks and downloads',
} as const satisfies Record<Role, string>

/** Who is in a registry, people and whole teams, and what they may there. */
export function RegistryMembers({ of }: { of: RegistryDetails }) {
  const queries = useQueryClient()
  const mayEdit = of.editRefusal === null
  const change = useMutation({
    mutationFn: (input: { kind: 'person' | 'team'; name: string; role: Role | null }) =>
      grid.registries.setMember({ registry: of.name, ...input }),
    onSuccess: async () => {
      tell('Saved')
      await queries.invalidateQueries({ queryKey: api.registries.key() })
    },
    onError: tellError,
  })
  return (
    <Section
      title="Members"
      says={
        of.audience === 'organisation'
          ? 'Everybody of the organisation may look; these may more'
          : 'Nobody else knows of it, but for admins of the organisation'
      }
      flush
    >
      <PlainTable label="Members" head={['Name', 'Is', 'Role', '']}>
        {of.memberList.map((each) => (
          <tr key={`${each.kind} ${each.name}`}>
            <td className="font-medium">
              {each.name} <span className="font-normal text-ink-faint">{each.shown}</span>
            </td>
            <td>
              <Tag>{each.kind === 'team' ? 'team' : 'person'}</Tag>
            </td>
            <td>
              {mayEdit ? (
                <Select
                  small
                  aria-label={`Role of ${each.name}`}
                  value={each.role}
                  disabled={change.isPending}
                  onChange={(event) => change.mutate({ ...each, role: event.target.value as Role })}
                >
                  {(Object.keys(roles) as Role[]).map((role) => (
                    <option key={role} value={role} title={roles[role]}>
                      {role}
                    </option>
                  ))}
                </Select>
              ) : (
                <span title={roles[each.role]}>{each.role}</span>
              )}
            </td>
            <td className="text-right">
              {mayEdit && (
                <Button small onClick={() => change.mutate({ ...each, role: null })}>
                  Remove
                </Button>
              )}
            </td>
          </tr>
        ))}
      </PlainTable>
      {mayEdit ? (
        <AddMember busy={change.isPending} add={(input, done) => change.mutate(input, { onSuccess: done })} />
      ) : (
        <p className="border-t border-line px-4 py-3 text-[13px] text-ink-faint">{of.editRefusal}</p>
      )}
    </Section>
  )
}

function AddMember({
  add,
  busy,
}: {
  add: (input: { kind: 'person' | 'team'; name: string; role: Role }, done: () => void) => void
  busy: boolean
}) {
  const [kind, setKind] = useState<'person' | 'team'>('person')
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>('member')
  return (
    <form
      className="flex flex-wrap items-center gap-2 border-t border-line p-4"
      onSubmit={(event) => {
        event.preventDefault()
        add({ kind, name: name.trim(), role }, () => setName(''))
      }}
    >
      <Select
        small
        aria-label="Whom to add"
        value={kind}
        onChange={(event) => setKind(event.target.value as typeof kind)}
      >
        <option value="person">Person</option>
        <option value="team">Whole team</option>
      </Select>
      <Input
        small
        required
        aria-label={kind === 'team' ? 'Team' : 'Username'}
        placeholder={kind === 'team' ? 'team' : 'username'}
        value={name}
        onChange={(event) => setName(event.target.value)}
        className="w-44"
      />
      <Select
        small
        aria-label="Role"
        value={role}
        onChange={(event) => setRole(event.target.value as Role)}
        className="max-w-full"
      >
        {(Object.keys(roles) as Role[]).map((each) => (
          <option key={each} value={each}>
            {roles[each]}
          </option>
        ))}
      </Select>
      <Button small type="submit" busy={busy}>
        Add
      </Button>
    </form>
  )
}
