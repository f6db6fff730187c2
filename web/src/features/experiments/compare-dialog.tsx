import { useQueries } from '@tanstack/react-query'
import { useState } from 'react'
import { exactValue, formatValue } from '../../lib/format.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Checkbox } from '../../ui/field.tsx'
import { compare } from './differences.ts'
import { experimentQuery, type ProjectRef } from './queries.ts'

/** Config and summary of a few experiments side by side, differences first. */
export function CompareDialog({
  project,
  slugs,
  onClose,
}: {
  project: ProjectRef
  slugs: readonly string[]
  onClose: () => void
}) {
  const answers = useQueries({
    queries: slugs.map((slug) => experimentQuery({ ...project, experiment: slug })),
  })
  const [onlyDifferences, setOnlyDifferences] = useState(false)
  const experiments = answers.flatMap((answer) => answer.data ?? [])
  const failed = answers.find((answer) => answer.isError)
  const waiting = answers.some((answer) => answer.isPending)
  return (
    <Dialog wide open={slugs.length > 0} onClose={onClose} title={`Compare ${slugs.length} experiments`}>
      {failed !== undefined && <Problem error={failed.error} />}
      {waiting && <SkeletonRows rows={8} />}
      {!waiting && failed === undefined && (
        <>
          <Checkbox
            label="Only what differs"
            checked={onlyDifferences}
            onChange={(event) => setOnlyDifferences(event.target.checked)}
          />
          <div className="mt-2 overflow-x-auto">
            <table className="w-full text-[13px]">
              <thead>
                <tr className="text-left">
                  <th className="py-1 pr-3 font-medium text-ink-faint">Key</th>
                  {experiments.map((each) => (
                    <th key={each.id} className="max-w-56 truncate py-1 pr-3 font-medium" title={each.name}>
                      {each.name}
                    </th>
                  ))}
                </tr>
              </thead>
              {(['config', 'summary'] as const).map((part) => (
                <tbody key={part}>
                  <tr>
                    <th
                      colSpan={experiments.length + 1}
                      scope="rowgroup"
                      className="pt-3 pb-1 text-left text-xs font-medium text-ink-faint"
                    >
                      {part === 'config' ? 'Config' : 'Summary'}
                    </th>
                  </tr>
                  {compare(experiments.map((each) => each[part]))
                    .filter((row) => row.differs || !onlyDifferences)
                    .map((row) => (
                      <tr
                        key={row.key}
                        className={`border-t border-line ${row.differs ? 'bg-warn-wash' : ''}`}
                      >
                        <th
                          scope="row"
                          className="max-w-64 truncate py-1 pr-3 pl-1 text-left font-normal text-ink-soft"
                          title={row.key}
                        >
                          {row.key}
                        </th>
                        {row.values.map((value, i) => (
                          <td
                            key={experiments[i]!.id}
                            className="max-w-56 truncate py-1 pr-3"
                            title={exactValue(value)}
                          >
                            {value === undefined ? (
                              <span className="text-ink-faint">–</span>
                            ) : (
                              formatValue(value)
                            )}
                          </td>
                        ))}
                      </tr>
                    ))}
                </tbody>
              ))}
            </table>
          </div>
        </>
      )}
    </Dialog>
  )
}
