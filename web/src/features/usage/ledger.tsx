import type { LedgerEntry, Team } from '@teamgrid/api'
import { useInfiniteQuery } from '@tanstack/react-query'
import { api, grid } from '../../lib/client.ts'
import { formatInstant } from '../../lib/format.ts'
import { Button } from '../../ui/button.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { foldCharges, formatCredits } from './words.ts'

const reasonWords: Record<LedgerEntry['reason'], string> = {
  credit: 'Credits added',
  usage: 'Machines',
  adjustment: 'Taken back',
}

/** What came in and went out, newest first; charges that follow each other are one line. */
export function LedgerSection({ team }: { team: Team }) {
  const ledger = useInfiniteQuery({
    queryKey: [...api.usage.key(), 'ledger', team.slug],
    queryFn: ({ pageParam, signal }) =>
      grid.usage.ledger(
        { team: team.slug, limit: 100, ...(pageParam === null ? {} : { cursor: pageParam }) },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.nextCursor,
    meta: { live: { on: ['usage.changed'] } },
  })
  const lines = foldCharges(ledger.data?.pages.flatMap((page) => page.items) ?? [])
  return (
    <Section title="Ledger" says="Nothing in it is ever changed." flush>
      {ledger.isError && <Problem error={ledger.error} retry={() => void ledger.refetch()} />}
      {ledger.isPending && <SkeletonRows rows={3} />}
      {ledger.data !== undefined && lines.length === 0 && (
        <p className="px-4 py-6 text-ink-faint">
          Nothing came in or went out yet. Credits that are added and what machines cost stand here.
        </p>
      )}
      {lines.length > 0 && (
        <PlainTable label="Ledger" head={['When', 'What', 'Credits', 'By', 'Note']}>
          {lines.map((line) => (
            <tr key={line.number}>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={line.at} />
              </td>
              <td className="whitespace-nowrap">
                {reasonWords[line.reason]}
                {line.charges > 1 && (
                  <span
                    className="text-ink-faint"
                    title={`since ${formatInstant(Date.parse(line.since))}`}
                  >{`, ${line.charges} charges`}</span>
                )}
              </td>
              <td className={`whitespace-nowrap tabular-nums ${line.microcredits > 0 ? 'text-good' : ''}`}>
                {line.microcredits > 0 && '+'}
                {formatCredits(line.microcredits)}
              </td>
              <td className="whitespace-nowrap">
                {line.by?.username ?? (line.reason === 'usage' ? '' : 'operator')}
              </td>
              <td className="min-w-40 text-ink-soft">{line.note}</td>
            </tr>
          ))}
        </PlainTable>
      )}
      {ledger.hasNextPage && (
        <div className="border-t border-line p-2 text-center">
          <Button small busy={ledger.isFetchingNextPage} onClick={() => void ledger.fetchNextPage()}>
            Older
          </Button>
        </div>
      )}
    </Section>
  )
}
