import type { Report } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { api, grid } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { CopyButton } from '../../ui/command-block.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Checkbox } from '../../ui/field.tsx'
import { Ago } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { linksQuery } from './queries.ts'

/** Who else edits it, and links with which anybody reads it. */
export function ShareDialog({
  report,
  mayOpen,
  onClose,
}: {
  report: Report
  /** A refusal, if the reader may not open it to the team. */
  mayOpen: string | undefined
  onClose: () => void
}) {
  const queries = useQueryClient()
  const links = useQuery(linksQuery(report.id))
  const act = (work: Promise<unknown>) => {
    work.catch(tellError).finally(() => void queries.invalidateQueries({ queryKey: api.reports.key() }))
  }
  const reportId = report.id
  return (
    <Dialog open onClose={onClose} title={`Share ${report.title}`}>
      <Checkbox
        label="Members of the team may edit it"
        checked={report.share === 'edit'}
        disabled={mayOpen !== undefined}
        title={mayOpen}
        onChange={(event) =>
          act(grid.reports.share({ reportId, share: event.target.checked ? 'edit' : 'none' }))
        }
      />
      <h3 className="mt-5 mb-1 text-sm font-semibold">Links for anybody</h3>
      <p className="mb-3 text-[13px] text-ink-soft">
        Who has a link reads what is published, with the panels over experiments of this project, without
        signing in.
      </p>
      <ul className="flex flex-col gap-2">
        {links.data?.map((link) => (
          <li key={link.id} className="flex items-center gap-2 text-[13px]">
            <code className="min-w-0 flex-1 truncate rounded bg-sunken px-2 py-1">{link.url}</code>
            <span className="hidden shrink-0 text-xs text-ink-faint sm:inline">
              <Ago at={link.createdAt} />
            </span>
            <CopyButton text={link.url} />
            <Button
              small
              look="danger"
              onClick={() => act(grid.reports.revokeLink({ reportId, linkId: link.id }))}
            >
              End
            </Button>
          </li>
        ))}
      </ul>
      <Button
        small
        className="mt-3"
        refused={report.isPublished ? undefined : 'Publish the report first: a link shows what is published.'}
        onClick={() => act(grid.reports.createLink({ reportId }))}
      >
        Make a link
      </Button>
    </Dialog>
  )
}
