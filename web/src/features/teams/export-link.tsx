import type { Team } from '@teamgrid/api'
import { useMe, useRefusal } from '../../lib/me.ts'

/** Everything the team owns as one archive; nothing where the role does not allow it. */
export function ExportLink({ team }: { team: Team }) {
  const me = useMe()
  const refused = useRefusal(team)('data:export', me === undefined ? {} : { ownerId: me.user.id })
  if (refused !== undefined) return null
  return (
    <a
      href={`/api/teams/${encodeURIComponent(team.slug)}/export`}
      download
      title="Experiments, history as Parquet, logs, files, artifacts, members and audit log as one .tar archive"
      className="text-[13px] text-accent hover:underline"
    >
      Export everything
    </a>
  )
}
