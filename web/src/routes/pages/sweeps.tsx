import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { LazyInput } from '../../features/experiments/chart-toolbar.tsx'
import { sweepsQuery } from '../../features/sweeps/queries.ts'
import { FirstSweep, SweepTable } from '../../features/sweeps/sweep-table.tsx'
import { projectQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { useRefusal, useTeam } from '../../lib/me.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'
import { present } from '../search.ts'

const route = getRouteApi('/inside/$team/$project/sweeps')

/** The sweeps of a project. */
export function SweepsPage() {
  const ref = route.useParams()
  const { q } = route.useSearch()
  const navigate = route.useNavigate()
  const refused = useRefusal(useTeam(ref.team))
  const project = useQuery(projectQuery(ref.team, ref.project))
  const sweeps = useQuery(sweepsQuery(ref, q))
  if (project.isError && isNotFound(project.error)) return <NotFound />
  const isEmpty = sweeps.data?.total === 0 && q === undefined
  if (isEmpty) return <FirstSweep {...ref} mayMake={refused('run:create') === undefined} />
  return (
    <Page
      wide
      title={`Sweeps of ${ref.project}`}
      actions={
        <LazyInput
          label="Search sweeps"
          placeholder="Search by name"
          value={q ?? ''}
          onChange={(next) =>
            void navigate({ search: present({ q: next === '' ? undefined : next }), replace: true })
          }
          className="w-56"
        />
      }
    >
      <Section title="Sweeps" says={sweeps.data && `${sweeps.data.total} in all`} flush>
        {sweeps.isError ? (
          <Problem error={sweeps.error} retry={() => void sweeps.refetch()} />
        ) : sweeps.data === undefined ? (
          <SkeletonRows />
        ) : (
          <SweepTable sweeps={sweeps.data.items} />
        )}
      </Section>
    </Page>
  )
}
