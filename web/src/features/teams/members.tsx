import type { Member, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useMe, useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { Tip } from '../../ui/tooltip.tsx'
import { membersQuery } from './queries.ts'
import { RemovalList } from './removal.tsx'

export const roleWords = {
  admin: 'Admin',
  member: 'Member',
  viewer: 'View only',
  service: 'Service',
} as const
export const roleSays = {
  admin: 'Everything, also other people’s work; invites, removes, sets the policy',
  member: 'Logs and works; touches other people’s work as the policy allows',
  viewer: 'Sees everything, changes nothing, has no API key here',
  service: 'For automation: an API key, no sign-in',
} as const

/** Who is in the team, with roles to change and a way out. */
export function Members({ team }: { team: Team }) {
  const me = useMe()
  const queries = useQueryClient()
  const refused = useRefusal(team)
  const members = useQuery(membersQuery(team.slug))
  const [removing, setRemoving] = useState<Member>()
  const again = () => queries.invalidateQueries({ queryKey: api.teams.key() })
  const isSelf = (member: Member) => member.userId === me?.user.id
  const changeRole = (member: Member, role: 'admin' | 'member' | 'viewer') => {
    grid.teams
      .changeMember({ team: team.slug, username: member.username, role })
      .then(() => tell(`${member.username} is now ${roleWords[role].toLowerCase()}`))
      .catch(tellError)
      .finally(() => void again())
  }
  const editRefused = refused('member:edit')
  return (
    <Section
      title="Members"
      {...(members.data === undefined ? {} : { says: `${members.data.length}` })}
      flush
    >
      {members.isPending && <SkeletonRows rows={3} />}
      {members.isError && <Problem error={members.error} retry={() => void members.refetch()} />}
      {members.data !== undefined && (
        <PlainTable stacks label="Members" head={['Person', 'Role', 'Joined', '']}>
          {members.data
            .filter((member) => member.kind === 'person')
            .map((member) => (
              <tr key={member.userId}>
                <td>
                  <span className="font-medium">{member.name || member.username}</span>{' '}
                  <span className="text-ink-faint">{member.username}</span>
                  {isSelf(member) && <span className="ml-1.5 text-ink-faint">(you)</span>}
                </td>
                <td>
                  {editRefused === undefined && member.role !== 'service' ? (
                    <Select
                      small
                      aria-label={`Role of ${member.username}`}
                      value={member.role}
                      title={roleSays[member.role]}
                      onChange={(event) =>
                        changeRole(member, event.target.value as 'admin' | 'member' | 'viewer')
                      }
                    >
                      <option value="admin">Admin</option>
                      <option value="member">Member</option>
                      <option value="viewer">View only</option>
                    </Select>
                  ) : (
                    <Tip
                      says={`${roleSays[member.role]}.${editRefused === undefined ? '' : `\n${editRefused}`}`}
                    >
                      <span tabIndex={0}>
                        <Tag>{roleWords[member.role]}</Tag>
                      </span>
                    </Tip>
                  )}
                </td>
                <td className="whitespace-nowrap text-ink-soft">
                  <Ago at={member.joinedAt} />
                </td>
                <td className="text-right">
                  <Button
                    small
                    look="danger"
                    refused={refused(isSelf(member) ? 'team:leave' : 'member:remove')}
                    onClick={() => setRemoving(member)}
                  >
                    {isSelf(member) ? 'Leave' : 'Remove'}
                  </Button>
                </td>
              </tr>
            ))}
        </PlainTable>
      )}
      <Confirm
        open={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={
          removing !== undefined && isSelf(removing)
            ? `Leave ${team.slug}?`
            : `Remove ${removing?.username} from ${team.slug}?`
        }
        says={removing !== undefined && <RemovalList team={team} member={removing} />}
        verb={removing !== undefined && isSelf(removing) ? 'Leave' : 'Remove'}
        act={async () => {
          await grid.teams.removeMember({ team: team.slug, username: removing!.username })
          await queries.invalidateQueries()
        }}
      />
    </Section>
  )
}
