import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { teamQuery } from '../../features/teams/queries.ts'
import { BalanceSection } from '../../features/usage/balance.tsx'
import { BudgetsSection } from '../../features/usage/budgets.tsx'
import { LedgerSection } from '../../features/usage/ledger.tsx'
import { RatesSection } from '../../features/usage/rates.tsx'
import { UsageSection } from '../../features/usage/usage-table.tsx'
import { isNotFound } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/teams/$team/usage')

/** What a team's machines cost, who used them, and what is left. */
export function UsagePage() {
  const { team: slug } = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const team = useQuery(teamQuery(slug))
  const refused = useRefusal(team.data)
  if (team.isError)
    return isNotFound(team.error) ? (
      <NotFound />
    ) : (
      <Problem error={team.error} retry={() => void team.refetch()} />
    )
  if (team.data === undefined) return <SkeletonRows className="mx-auto max-w-4xl py-8" />
  const hidden = refused('usage:read')
  return (
    <Page
      wide
      title="Usage"
      note={
        <Link to="/$team" params={{ team: slug }} className="text-ink-faint hover:underline">
          {slug}
        </Link>
      }
    >
      {hidden === undefined ? (
        <>
          <BalanceSection team={team.data} />
          <UsageSection
            team={team.data}
            search={search}
            onSearch={(next) => void navigate({ search: next, replace: true })}
          />
          <BudgetsSection team={team.data} />
        </>
      ) : (
        <EmptyState title="Usage is not shown to you" says={hidden} />
      )}
      <div className={hidden === undefined ? 'grid grid-cols-1 items-start gap-6 lg:grid-cols-2' : ''}>
        {hidden === undefined && <LedgerSection team={team.data} />}
        <RatesSection team={team.data} />
      </div>
    </Page>
  )
}
