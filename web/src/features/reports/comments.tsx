import type { Report, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { TextArea } from '../../ui/field.tsx'
import { Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { Markdown } from './markdown.tsx'
import { commentsQuery } from './queries.ts'

/** What people say about a report. View-only members say it too. */
export function Comments({ report, team }: { report: Report; team: Team }) {
  const queries = useQueryClient()
  const may = useRefusal(team)
  const about = { ownerId: report.createdById, kind: 'report', name: report.title }
  const comments = useQuery(commentsQuery(report.id))
  const again = () => queries.invalidateQueries({ queryKey: api.reports.key() })
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await grid.reports.comment({ reportId: report.id, text: fieldOf(form, 'text') })
    await again()
  })
  const remove = (commentId: string) => {
    grid.reports
      .deleteComment({ reportId: report.id, commentId })
      .catch(tellError)
      .finally(() => void again())
  }
  return (
    <Section title={`Comments${report.comments > 0 ? ` (${report.comments})` : ''}`}>
      <ul className="flex flex-col gap-4">
        {comments.data?.map((comment) => (
          <li key={comment.id}>
            <div className="flex items-baseline gap-2 text-[13px]">
              <span className="font-medium">{comment.author.name || comment.author.username}</span>
              <span className="text-xs text-ink-faint">
                <Ago at={comment.createdAt} />
              </span>
              {(comment.isMine || may('report:delete', about) === undefined) && (
                <button
                  type="button"
                  className="ml-auto text-xs text-ink-faint hover:text-bad"
                  onClick={() => remove(comment.id)}
                >
                  Delete
                </button>
              )}
            </div>
            <Markdown text={comment.text} />
          </li>
        ))}
      </ul>
      <form
        key={comments.data?.length ?? 0}
        onSubmit={onSubmit}
        className={`flex flex-col gap-2 ${(comments.data?.length ?? 0) > 0 ? 'mt-4' : ''}`}
      >
        <TextArea
          name="text"
          required
          rows={3}
          maxLength={10_000}
          aria-label="Comment"
          placeholder="Say something; Markdown works"
        />
        {error !== undefined && (
          <p role="alert" className="text-[13px] text-bad">
            {error.message}
          </p>
        )}
        <Button type="submit" small busy={busy} refused={may('report:comment', about)} className="self-end">
          Comment
        </Button>
      </form>
    </Section>
  )
}
