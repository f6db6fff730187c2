import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMe, useRefusal } from '../../lib/me.ts'
import type { Team } from '@teamgrid/api'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { activityQuery } from './queries.ts'

/** Who did what in the team, newest first. */
export function ActivityLog({ team }: { team: Team }) {
  const me = useMe()
  const refusal = useRefusal(team)
  const refused = refusal('audit:read')
  const log = useQuery({ ...activityQuery(team.slug), enabled: refused === undefined })
  return (
    <Section
      title="Activity"
      flush
      {...(refused === undefined ? {} : { says: refused })}
      actions={
        refusal('audit:read', me === undefined ? {} : { ownerId: me.user.id }) === undefined && (
          <Link
            to="/teams/$team/audit"
            params={{ team: team.slug }}
            className="text-[13px] text-accent hover:underline"
          >
            Audit log
          </Link>
        )
      }
    >
      {log.isError && <Problem error={log.error} />}
      {refused === undefined && log.isPending && <SkeletonRows rows={3} />}
      {log.data !== undefined && (
        <ul className="max-h-96 divide-y divide-line overflow-auto text-[13px]">
          {log.data.items.map((each) => (
            <li key={each.id} className="flex flex-wrap items-baseline gap-x-2 px-4 py-1.5">
              <span className="font-medium">{each.actor?.username ?? 'operator'}</span>
              <span className="font-mono text-xs text-ink-soft">{each.action}</span>
              <span className="min-w-0 truncate text-ink-faint" title={JSON.stringify(each.details)}>
                {each.subjectKind} {detailWords(each.details)}
              </span>
              <span className="ml-auto text-ink-faint">
                <Ago at={each.at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  )
}

function detailWords(details: Record<string, unknown>): string {
  const name = details.name ?? details.username ?? details.slug
  return typeof name === 'string' ? name : ''
}
