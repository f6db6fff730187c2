import { Dialog } from '@base-ui/react/dialog'
import { useQueries, useQuery } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { type KeyboardEvent, type ReactNode, useMemo, useState } from 'react'
import { rowsQuery } from '../features/experiments/queries.ts'
import { StateShape } from '../features/experiments/state.tsx'
import { projectsQuery } from '../features/teams/queries.ts'
import { useMe } from '../lib/me.ts'
import { chooseTheme, useTheme } from '../lib/theme.ts'
import { FolderIcon, GearIcon, KeyIcon, MoonIcon, PeopleIcon, SweepIcon, TableIcon } from '../ui/icons.tsx'

type Entry = { id: string; label: string; note: string; icon: ReactNode; go: () => void }

const entriesMax = 40

/** Finds any project, page, action, and the experiments of the open project, by a few letters. */
export function CommandPalette({ onClose }: { onClose: () => void }) {
  const me = useMe()
  const navigate = useNavigate()
  const theme = useTheme()
  const { team, project } = useParams({ strict: false })
  const [typed, setTyped] = useState('')
  const [at, setAt] = useState(0)
  const projects = useQueries({
    queries: (me?.teams ?? []).map((each) => projectsQuery(each.slug)),
    combine: (all) => all.flatMap((one) => one.data ?? []),
  })
  const experiments = useQuery({
    ...rowsQuery(
      { team: team ?? '', project: project ?? '' },
      {
        limit: 20,
        ...(typed.trim() === '' ? {} : { search: typed.trim() }),
        sort: [{ column: 'created_at', descending: true }],
      },
    ),
    enabled: team !== undefined && project !== undefined,
  })

  const entries = useMemo(() => {
    const pages: Entry[] = [
      {
        id: 'home',
        label: 'My teams',
        note: 'Page',
        icon: <PeopleIcon />,
        go: () => void navigate({ to: '/' }),
      },
      {
        id: 'registries',
        label: 'Registries',
        note: 'Page',
        icon: <FolderIcon />,
        go: () => void navigate({ to: '/registries' }),
      },
      {
        id: 'settings',
        label: 'Settings',
        note: 'Page',
        icon: <GearIcon />,
        go: () => void navigate({ to: '/settings' }),
      },
      {
        id: 'key',
        label: 'New API key for a terminal',
        note: 'Action',
        icon: <KeyIcon />,
        go: () => void navigate({ to: '/authorize' }),
      },
      {
        id: 'theme',
        label: theme === 'dark' ? 'Light theme' : 'Dark theme',
        note: 'Action',
        icon: <MoonIcon />,
        go: () => chooseTheme(theme === 'dark' ? 'light' : 'dark'),
      },
      ...(me?.user.organisationRole === 'admin'
        ? [
            {
              id: 'admin',
              label: 'Organisation',
              note: 'Page',
              icon: <GearIcon />,
              go: () => void navigate({ to: '/admin' }),
            },
            {
              id: 'sso',
              label: 'Single sign-on',
              note: 'Page',
              icon: <KeyIcon />,
              go: () => void navigate({ to: '/admin/sso' }),
            },
          ]
        : []),
      ...(team !== undefined && project !== undefined
        ? [
            {
              id: 'table',
              label: `${project} as a table`,
              note: 'Page',
              icon: <TableIcon />,
              go: () => void navigate({ to: '/$team/$project/table', params: { team, project } }),
            },
            {
              id: 'sweeps',
              label: `Sweeps of ${project}`,
              note: 'Page',
              icon: <SweepIcon />,
              go: () => void navigate({ to: '/$team/$project/sweeps', params: { team, project } }),
            },
          ]
        : []),
    ]
    const teams: Entry[] = (me?.teams ?? []).flatMap((each) => [
      {
        id: each.id,
        label: each.slug,
        note: each.kind === 'personal' ? 'Personal team' : 'Team',
        icon: <PeopleIcon />,
        go: () => void navigate({ to: '/$team', params: { team: each.slug } }),
      },
      {
        id: `${each.id}-usage`,
        label: `${each.slug} usage and credits`,
        note: 'Page',
        icon: <TableIcon />,
        go: () => void navigate({ to: '/teams/$team/usage', params: { team: each.slug } }),
      },
      ...(each.kind === 'team'
        ? [
            {
              id: `${each.id}-settings`,
              label: `${each.slug} members and policy`,
              note: 'Page',
              icon: <GearIcon />,
              go: () => void navigate({ to: '/teams/$team', params: { team: each.slug } }),
            },
          ]
        : []),
    ])
    const projectEntries: Entry[] = projects.map((each) => ({
      id: each.id,
      label: `${each.team} / ${each.name}`,
      note: 'Project',
      icon: <FolderIcon />,
      go: () => void navigate({ to: '/$team/$project', params: { team: each.team, project: each.name } }),
    }))
    const found: Entry[] = (experiments.data?.rows ?? []).map((each) => ({
      id: each.id,
      label: each.name,
      note: 'Experiment',
      icon: <StateShape state={each.state} />,
      go: () =>
        void navigate({
          to: '/$team/$project/runs/$id',
          params: { team: each.team, project: each.project, id: each.slug },
        }),
    }))
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
    const fits = (entry: Entry) => words.every((word) => entry.label.toLowerCase().includes(word))
    return [...[...projectEntries, ...teams, ...pages].filter(fits), ...found].slice(0, entriesMax)
  }, [me, navigate, theme, team, project, projects, experiments.data, typed])

  const chosen = Math.min(at, entries.length - 1)
  const run = (entry: Entry | undefined) => {
    if (entry === undefined) return
    onClose()
    entry.go()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') run(entries[chosen])
    else if (event.key === 'ArrowDown') setAt(Math.min(entries.length - 1, chosen + 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(0, chosen - 1))
    else return
    event.preventDefault()
  }
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-black/35 dark:bg-black/60" />
        <Dialog.Popup className="fixed top-[12vh] left-1/2 z-50 flex max-h-[70vh] w-[calc(100vw-24px)] max-w-xl -translate-x-1/2 flex-col overflow-hidden rounded-lg border border-line-strong bg-raised shadow-float outline-none">
          <Dialog.Title className="sr-only">Go to</Dialog.Title>
          <input
            autoFocus
            role="combobox"
            aria-expanded
            aria-controls="palette-entries"
            aria-activedescendant={
              entries[chosen] === undefined ? undefined : `palette-${entries[chosen].id}`
            }
            aria-label="Search projects, experiments, pages and actions"
            placeholder="Project, experiment, page, action …"
            value={typed}
            onChange={(event) => {
              setTyped(event.target.value)
              setAt(0)
            }}
            onKeyDown={onKeyDown}
            className="h-11 shrink-0 border-b border-line bg-transparent px-4 text-[15px] outline-none"
          />
          <div
            id="palette-entries"
            role="listbox"
            aria-label="Found"
            className="scroll-quiet overflow-auto py-1"
          >
            {entries.length === 0 && <p className="px-4 py-3 text-ink-faint">Nothing found.</p>}
            {entries.map((entry, i) => (
              <div
                key={entry.id}
                id={`palette-${entry.id}`}
                role="option"
                aria-selected={i === chosen}
                tabIndex={-1}
                ref={(element) => {
                  if (i === chosen) element?.scrollIntoView({ block: 'nearest' })
                }}
                onClick={() => run(entry)}
                onKeyDown={onKeyDown}
                onPointerMove={() => setAt(i)}
                className="flex cursor-pointer items-center gap-2.5 px-4 py-1.5 aria-selected:bg-hover"
              >
                <span className="text-ink-faint">{entry.icon}</span>
                <span className="min-w-0 flex-1 truncate">{entry.label}</span>
                <span className="text-xs text-ink-faint">{entry.note}</span>
              </div>
            ))}
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
