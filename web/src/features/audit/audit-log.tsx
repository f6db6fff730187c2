import type { AuditEntry } from '@teamgrid/api'
import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Input, Select } from '../../ui/field.tsx'
import { CopyIcon } from '../../ui/icons.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Menu, MenuLink } from '../../ui/menu.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'

/** What stands in the address bar. */
export type AuditSearch = { q?: string; who?: string; did?: string; since?: string; until?: string }

/** Nouns that acts are on; the filter takes all acts of one. */
const nouns = [
  'experiment',
  'project',
  'artifact',
  'member',
  'team',
  'policy',
  'key',
  'service',
  'user',
  'org',
  'data',
  'audit',
]

function filterOf(search: AuditSearch) {
  return {
    ...(search.q ? { search: search.q } : {}),
    ...(search.who ? { actor: search.who } : {}),
    ...(search.did ? { action: search.did.includes(':') ? search.did : `${search.did}:` } : {}),
    // Days as the reader's calendar has them; the last day counts whole.
    ...(search.since ? { from: dayStart(search.since, 0) } : {}),
    ...(search.until ? { to: dayStart(search.until, 1) } : {}),
  }
}

function dayStart(day: string, plusDays: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  return new Date(year, month - 1, date + plusDays).toISOString()
}

/**
 * Who did what to what, when, from where and by which key.
 *
 * @param team its slug; without one, the organisation's log.
 * @param mayVerify whether the reader may prove the hash chain; members see only what they did themselves.
 */
export function AuditLog({
  team,
  mayVerify,
  search,
  onSearch,
}: {
  team?: string
  mayVerify: boolean
  search: AuditSearch
  onSearch: (next: AuditSearch) => void
}) {
  const filter = filterOf(search)
  const query = useInfiniteQuery({
    queryKey: [...api.audit.key(), 'pages', team ?? null, filter],
    queryFn: ({ pageParam, signal }) => {
      const range = { limit: 100, ...(pageParam === null ? {} : { cursor: pageParam }) }
      return team === undefined
        ? grid.audit.organisation({ ...filter, ...range }, { signal })
        : grid.audit.team({ ...filter, ...range, team }, { signal })
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.nextCursor,
    meta: { live: { on: ['team.changed'] } },
  })
  const lines = query.data?.pages.flatMap((page) => page.items)
  const file = (format: 'csv' | 'json') =>
    `/api/audit/export?${new URLSearchParams({ format, ...(team === undefined ? {} : { team }), ...filter }).toString()}`
  return (
    <Section
      title="Audit log"
      says={
        mayVerify
          ? 'Nothing in it can be changed or deleted.'
          : 'What you did yourself; admins see everybody.'
      }
      flush
      actions={
        <>
          {mayVerify && <Verify {...(team === undefined ? {} : { team })} />}
          <Menu trigger={<Button small>Export</Button>}>
            <MenuLink render={<a href={file('csv')} download aria-label="Export as CSV" />}>
              CSV, for a spreadsheet
            </MenuLink>
            <MenuLink render={<a href={file('json')} download aria-label="Export as JSON" />}>
              JSON, with the seals
            </MenuLink>
          </Menu>
        </>
      }
    >
      <Filters search={search} onSearch={onSearch} />
      {query.isError && <Problem error={query.error} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={8} />}
      {lines?.length === 0 && (
        <p className="px-4 py-6 text-ink-faint">
          {Object.keys(filter).length === 0 ? 'Nothing has happened here yet.' : 'No line fits this filter.'}
        </p>
      )}
      {lines !== undefined && lines.length > 0 && (
        <PlainTable
          stacks
          label="Audit log"
          head={['When', 'Who', 'Did', 'What', ...(team === undefined ? ['Team'] : []), 'From', 'By']}
        >
          {lines.map((line) => (
            <Line
              key={line.id}
              line={line}
              showTeam={team === undefined}
              onWho={(who) => onSearch({ ...search, who })}
              onDid={(did) => onSearch({ ...search, did })}
            />
          ))}
        </PlainTable>
      )}
      {query.hasNextPage && (
        <div className="border-t border-line p-2 text-center">
          <Button small busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Older
          </Button>
        </div>
      )}
    </Section>
  )
}

function Filters({ search, onSearch }: { search: AuditSearch; onSearch: (next: AuditSearch) => void }) {
  const [typed, setTyped] = useState(search.q ?? '')
  const without = (key: keyof AuditSearch): AuditSearch => {
    const { [key]: _, ...rest } = search
    return rest
  }
  const set = (key: keyof AuditSearch, value: string) =>
    onSearch(value === '' ? without(key) : { ...search, [key]: value })
  const isFiltered = Object.keys(search).length > 0
  return (
    <form
      className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        set('q', typed.trim())
      }}
    >
      <Input
        small
        type="search"
        aria-label="Search the audit log"
        placeholder="Search, then Enter"
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value)
          if (event.target.value === '') onSearch(without('q'))
        }}
        className="w-44 max-sm:w-full"
      />
      <Input
        key={search.who ?? ''}
        small
        aria-label="Only this person"
        placeholder="Person"
        defaultValue={search.who ?? ''}
        onBlur={(event) => set('who', event.target.value.trim())}
        onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
        className="w-28"
        autoCapitalize="none"
      />
      <Select
        small
        aria-label="Only acts on"
        value={search.did ?? ''}
        onChange={(event) => set('did', event.target.value)}
      >
        <option value="">Every act</option>
        {search.did !== undefined && !nouns.includes(search.did) && (
          <option value={search.did}>{search.did}</option>
        )}
        {nouns.map((noun) => (
          <option key={noun} value={noun}>
            {noun}: …
          </option>
        ))}
      </Select>
      <label className="flex items-center gap-1 text-xs text-ink-faint">
        from
        <Input
          small
          type="date"
          value={search.since ?? ''}
          onChange={(event) => set('since', event.target.value)}
        />
      </label>
      <label className="flex items-center gap-1 text-xs text-ink-faint">
        to
        <Input
          small
          type="date"
          value={search.until ?? ''}
          onChange={(event) => set('until', event.target.value)}
        />
      </label>
      {isFiltered && (
        <Button
          small
          look="ghost"
          onClick={() => {
            setTyped('')
            onSearch({})
          }}
        >
          Clear
        </Button>
      )}
    </form>
  )
}

function Line({
  line,
  showTeam,
  onWho,
  onDid,
}: {
  line: AuditEntry
  showTeam: boolean
  onWho: (who: string) => void
  onDid: (did: string) => void
}) {
  const [isOpen, setOpen] = useState(false)
  const who = line.actor?.username ?? (line.by === 'operator' ? 'operator' : 'server')
  return (
    <>
      <tr className="hover:bg-hover">
        <td className="whitespace-nowrap text-ink-soft">
          <button
            type="button"
            aria-expanded={isOpen}
            aria-label={`Details of ${line.action} by ${who}`}
            className="mr-1.5 w-4 text-ink-faint hover:text-ink"
            onClick={() => setOpen(!isOpen)}
          >
            {isOpen ? '▾' : '▸'}
          </button>
          <Ago at={line.at} />
        </td>
        <td className="whitespace-nowrap">
          <button
            type="button"
            className="font-medium hover:underline"
            onClick={() => onWho(who)}
            title="Only this person"
          >
            {who}
          </button>
          {line.for !== null && <span className="text-ink-faint"> for {line.for}</span>}
        </td>
        <td className="whitespace-nowrap">
          <button
            type="button"
            className="font-mono text-xs hover:underline"
            onClick={() => onDid(line.action)}
            title="Only this act"
          >
            {line.action}
          </button>
        </td>
        <td className="max-w-64 truncate" title={line.label || line.subjectId}>
          <span className="text-ink-faint">{line.subjectKind}</span>{' '}
          {line.label || line.subjectId.slice(0, 13)}
        </td>
        {showTeam && <td className="whitespace-nowrap text-ink-soft">{line.team ?? '–'}</td>}
        <td className="font-mono text-xs whitespace-nowrap text-ink-soft">{line.address ?? '–'}</td>
        <td className="whitespace-nowrap text-ink-soft">
          {line.key === null ? line.by : <span title={line.key.name}>key …{line.key.hint}</span>}
        </td>
      </tr>
      {isOpen && (
        <tr className="border-t-0!">
          <td colSpan={showTeam ? 7 : 6} className="bg-sunken">
            <Details line={line} />
          </td>
        </tr>
      )}
    </>
  )
}

function Details({ line }: { line: AuditEntry }) {
  const rows: [string, string][] = [
    ['When', line.at],
    ['Subject', `${line.subjectKind} ${line.subjectId}`],
    ...(line.key === null ? [] : [['Key', `${line.key.name} (…${line.key.hint})`] as [string, string]]),
    ...(line.client === null ? [] : [['Through', line.client] as [string, string]]),
    ...Object.entries(line.details).map(([key, value]): [string, string] => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
    ['Seal', line.seal === null ? 'not yet' : `${line.seal.number}:${line.seal.hash}`],
  ]
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 py-1 text-xs">
      {rows.map(([name, value], i) => (
        <div key={i} className="contents">
          <dt className="text-ink-faint">{name}</dt>
          <dd className="font-mono break-all">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** Proves the chain on the server and shows its head, to be noted elsewhere. */
function Verify({ team }: { team?: string }) {
  const verify = useMutation({
    mutationFn: () => grid.audit.verify(team === undefined ? {} : { team }),
    onError: tellError,
  })
  const verdict = verify.data
  const head = verdict?.heads.find((each) => each.team === (team ?? null))
  return (
    <>
      {verdict !== undefined &&
        (verdict.ok ? (
          <Tag tone="good">✓ {verdict.lines} lines proven</Tag>
        ) : (
          <span title={verdict.problems.map(({ says }) => says).join('\n')}>
            <Tag tone="bad">
              ✗ {verdict.problemCount} problems: {verdict.problems[0]?.says}
            </Tag>
          </span>
        ))}
      {head !== undefined && (
        <Button
          small
          look="ghost"
          aria-label="Copy the head of the chain, to compare later"
          title={`${head.number}:${head.hash}`}
          onClick={() => {
            navigator.clipboard
              .writeText(`${head.number}:${head.hash}`)
              .then(
                () => tell('Copied the head of the chain. Keep it elsewhere and verify against it later.'),
                tellError,
              )
          }}
        >
          <CopyIcon /> Head
        </Button>
      )}
      <Button small busy={verify.isPending} onClick={() => verify.mutate()}>
        Verify
      </Button>
    </>
  )
}
