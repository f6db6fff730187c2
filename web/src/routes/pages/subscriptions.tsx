import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { PlanAndUsage } from '../../features/teams/plan.tsx'
import { RequestTeam, TeamRequests } from '../../features/teams/team-requests.tsx'
import { roleWords } from '../../features/teams/members.tsx'
import { planQuery } from '../../features/teams/queries.ts'
import { plural } from '../../lib/format.ts'
import { useMe } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Page } from '../../ui/layout.tsx'

const linkButton =
  'inline-flex h-7 items-center rounded-md border border-line-strong bg-surface px-2 text-[13px] font-medium whitespace-nowrap hover:bg-hover'

/** Plan & usage: the organisation's account, and where members are invited and managed. */
export function SubscriptionsPage() {
  const me = useMe()
  const plan = useQuery(planQuery())
  const [asking, setAsking] = useState(false)
  const isAdmin = me?.user.organisationRole === 'admin'
  const teams = me?.teams.filter((team) => team.kind === 'team') ?? []
  return (
    <Page
      title="Plan and usage"
      actions={
        isAdmin ? (
          <Link to="/admin" className={linkButton}>
            Teams and people
          </Link>
        ) : (
          <Button small onClick={() => setAsking(true)}>
            Ask for a team
          </Button>
        )
      }
    >
      <PlanAndUsage />
      <Section title="My teams" flush>
        {teams.length === 0 ? (
          <p className="px-4 py-3 text-ink-faint">
            You are in no team yet.{' '}
            {plan.data !== undefined && `Organisation admins: ${plan.data.admins.join(', ')}.`}
          </p>
        ) : (
          <PlainTable stacks label="My teams" head={['Team', 'My role', 'Members', '']}>
            {teams.map((team) => (
              <tr key={team.id}>
                <td>
                  <Link to="/$team" params={{ team: team.slug }} className="font-medium hover:underline">
                    {team.name || team.slug}
                  </Link>
                </td>
                <td>
                  <Tag>{team.role === null ? 'none' : roleWords[team.role]}</Tag>
                </td>
                <td className="text-ink-soft">{plural(team.members, 'member')}</td>
                <td>
                  <div className="flex justify-end gap-2">
                    <Link to="/teams/$team" params={{ team: team.slug }} hash="invite" className={linkButton}>
                      Invite members
                    </Link>
                    <Link to="/teams/$team" params={{ team: team.slug }} className={linkButton}>
                      Manage members
                    </Link>
                  </div>
                </td>
              </tr>
            ))}
          </PlainTable>
        )}
      </Section>
      <TeamRequests mayDecide={isAdmin} />
      <Dialog open={asking} onClose={() => setAsking(false)} title="Ask for a team">
        <RequestTeam onDone={() => setAsking(false)} />
      </Dialog>
    </Page>
  )
}
