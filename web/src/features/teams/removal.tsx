import type { Member, Team } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { api } from '../../lib/client.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'

/** What removing somebody would stop, end and leave, as the server lists it. */
export function RemovalList({ team, member }: { team: Team; member: Member }) {
  const removal = useQuery(
    api.teams.removal.queryOptions({
      input: { team: team.slug, username: member.username },
      staleTime: 0,
    }),
  )
  if (removal.isError) return <Problem error={removal.error} retry={() => void removal.refetch()} />
  if (removal.data === undefined) return <SkeletonRows rows={3} />
  const { stops, ends, stays, refused } = removal.data
  return (
    <div className="flex flex-col gap-3">
      {refused !== null && <p className="text-bad">{refused}.</p>}
      <Lines title="Stops" lines={stops} none="Nothing: nothing of theirs runs here." />
      <Lines title="Ends" lines={ends} />
      <Lines title="Stays" lines={stays} />
    </div>
  )
}

function Lines({ title, lines, none }: { title: string; lines: readonly string[]; none?: string }) {
  const shown = lines.length === 0 && none !== undefined ? [none] : lines
  return (
    <div>
      <h3 className="text-[13px] font-semibold text-ink">{title}</h3>
      <ul className="list-disc pl-5">
        {shown.map((line) => (
          <li key={line} className="break-words">
            {line}
          </li>
        ))}
      </ul>
    </div>
  )
}
