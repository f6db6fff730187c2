import { Link } from '@tanstack/react-router'
import type { ExperimentDetails, Team } from '@teamgrid/api'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { exactValue, formatCount, formatValue } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock, CopyButton } from '../../ui/command-block.tsx'
import { Input, TextArea } from '../../ui/field.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { CloseIcon } from '../../ui/icons.tsx'
import { Section } from '../../ui/layout.tsx'
import { Ago, Elapsed } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { flatten } from './differences.ts'
import { byName, matcher } from './panels.ts'
import { StateBadge } from './state.tsx'

/** Everything about an experiment that is not a curve: who, when, where, how, with what and with which result. */
export function Overview({ experiment, team }: { experiment: ExperimentDetails; team: Team | undefined }) {
  return (
    <div className="grid grid-cols-1 items-start gap-4 p-4 xl:grid-cols-2">
      <div className="flex min-w-0 flex-col gap-4">
        <Section title="About" flush>
          <Facts experiment={experiment} />
        </Section>
        <Annotations experiment={experiment} team={team} />
        <Environment experiment={experiment} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Values
          title="Summary"
          values={experiment.summary}
          none="Nothing yet. The last value of every logged key stands here."
        />
        <Values
          title="Config"
          values={experiment.config}
          none="This experiment was started without a config."
        />
      </div>
    </div>
  )
}

function Facts({ experiment }: { experiment: ExperimentDetails }) {
  const { createdBy, via } = experiment
  const facts: [string, ReactNode][] = [
    ['State', <StateBadge key="state" state={experiment.state} stopRequested={experiment.stopRequested} />],
    [
      'Creator',
      `${createdBy.name || createdBy.username} (${createdBy.username})${via === null ? '' : ` via ${via.username}`}`,
    ],
    ['Started', <Ago key="started" at={experiment.createdAt} />],
    [
      'Duration',
      <Elapsed
        key="duration"
        start={experiment.createdAt}
        end={experiment.endedAt ?? (experiment.state === 'running' ? null : experiment.heartbeatAt)}
      />,
    ],
    ['Ended', experiment.endedAt === null ? null : <Ago key="ended" at={experiment.endedAt} />],
    ['Exit code', experiment.exitCode],
    ['Id', <Copyable key="id" text={experiment.slug} />],
    ['History', experiment.branchedFrom && <BranchedFrom key="from" experiment={experiment} />],
    [
      'Branches',
      experiment.branches.length === 0 ? null : <Branches key="branches" experiment={experiment} />,
    ],
    ['Group', experiment.group],
    ['Job type', experiment.jobType],
    [
      'Sweep',
      experiment.sweep === null ? null : (
        <Link
          key="sweep"
          to="/$team/$project/sweeps/$id"
          params={{ team: experiment.team, project: experiment.project, id: experiment.sweep }}
          className="hover:underline"
        >
          {experiment.sweep}
        </Link>
      ),
    ],
    ['Host', experiment.host],
    [
      'Logged',
      `${formatCount(experiment.historyLines)} lines, ${formatCount(experiment.consoleLines)} console lines, ${formatCount(experiment.files)} files`,
    ],
  ]
  return (
    <dl className="grid grid-cols-[7.5rem_1fr] text-[13px]">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => (
          <div
            key={name}
            className="col-span-2 grid grid-cols-subgrid border-b border-line px-4 py-1.5 last:border-0"
          >
            <dt className="text-ink-faint">{name}</dt>
            <dd className="min-w-0 break-words">{value}</dd>
          </div>
        ))}
    </dl>
  )
}

/** Whose history this one has up to a step; for a rewound one, what it was before. */
function BranchedFrom({ experiment }: { experiment: ExperimentDetails }) {
  const { slug, step, kind } = experiment.branchedFrom!
  return (
    <>
      {kind === 'fork' ? 'Forked after' : 'Rewound to'} step {step} of{' '}
      {slug === null ? (
        'an experiment that is gone'
      ) : (
        <ExperimentLink experiment={experiment} slug={slug}>
          {slug}
        </ExperimentLink>
      )}
    </>
  )
}

function Branches({ experiment }: { experiment: ExperimentDetails }) {
  return (
    <ul>
      {experiment.branches.map(({ slug, name, step, kind }) => (
        <li key={slug}>
          <ExperimentLink experiment={experiment} slug={slug}>
            {name}
          </ExperimentLink>{' '}
          {kind === 'fork' ? `forked after step ${step}` : `rewound to step ${step}`}
        </li>
      ))}
    </ul>
  )
}

function ExperimentLink({
  experiment: { team, project },
  slug,
  children,
}: {
  experiment: ExperimentDetails
  slug: string
  children: ReactNode
}) {
  return (
    <Link
      to="/$team/$project/runs/$id"
      params={{ team, project, id: slug }}
      className="font-medium underline underline-offset-2"
    >
      {children}
    </Link>
  )
}

function Copyable({ text }: { text: string }) {
  return (
    <span className="-my-1 inline-flex items-center gap-1">
      <code className="font-mono">{text}</code>
      <CopyButton text={text} />
    </span>
  )
}

/** Tags and notes, for those who may write them. */
function Annotations({ experiment, team }: { experiment: ExperimentDetails; team: Team | undefined }) {
  const queries = useQueryClient()
  const refused = useRefusal(team)('experiment:annotate', {
    kind: 'experiment',
    name: experiment.name,
    ownerId: experiment.createdById,
    ownerName: experiment.createdBy.username,
  })
  const [notes, setNotes] = useState<string>()
  const change = useMutation({
    mutationFn: (input: { tags?: string[]; notes?: string }) =>
      grid.experiments.change({
        team: experiment.team,
        project: experiment.project,
        experiment: experiment.slug,
        ...input,
      }),
    onSuccess: () => {
      setNotes(undefined)
      return queries.invalidateQueries({ queryKey: api.experiments.key() })
    },
    onError: tellError,
  })
  return (
    <Section title="Tags and notes">
      <div className="flex flex-wrap items-center gap-1.5">
        {experiment.tags.map((tag) => (
          <span key={tag} className="inline-flex items-center">
            <Tag>
              {tag}
              {refused === undefined && (
                <button
                  type="button"
                  aria-label={`Remove tag ${tag}`}
                  className="ml-1 text-ink-faint hover:text-ink"
                  onClick={() => change.mutate({ tags: experiment.tags.filter((each) => each !== tag) })}
                >
                  <CloseIcon className="size-3" />
                </button>
              )}
            </Tag>
          </span>
        ))}
        {refused === undefined && (
          <form
            onSubmit={(event) => {
              event.preventDefault()
              const form = event.currentTarget
              const tag = fieldOf(new FormData(form), 'tag').trim()
              if (tag !== '' && !experiment.tags.includes(tag))
                change.mutate({ tags: [...experiment.tags, tag] })
              form.reset()
            }}
          >
            <Input
              small
              name="tag"
              aria-label="Add a tag"
              placeholder="Add a tag"
              maxLength={128}
              className="w-28"
            />
          </form>
        )}
        {refused !== undefined && experiment.tags.length === 0 && (
          <span className="text-[13px] text-ink-faint">No tags</span>
        )}
      </div>
      <div className="mt-3">
        {notes === undefined ? (
          <div className="flex items-start gap-3">
            <p className="min-w-0 flex-1 text-[13px] break-words whitespace-pre-wrap text-ink-soft">
              {experiment.notes === '' ? <span className="text-ink-faint">No notes</span> : experiment.notes}
            </p>
            <Button small refused={refused} onClick={() => setNotes(experiment.notes)}>
              Edit notes
            </Button>
          </div>
        ) : (
          <form
            className="flex flex-col gap-2"
            onSubmit={(event) => {
              event.preventDefault()
              change.mutate({ notes })
            }}
          >
            <TextArea
              aria-label="Notes"
              rows={5}
              value={notes}
              onChange={(event) => setNotes(event.target.value)}
              autoFocus
              maxLength={100_000}
            />
            <div className="flex justify-end gap-2">
              <Button small onClick={() => setNotes(undefined)}>
                Cancel
              </Button>
              <Button small type="submit" look="primary" busy={change.isPending}>
                Save notes
              </Button>
            </div>
          </form>
        )}
      </div>
    </Section>
  )
}

function Environment({ experiment }: { experiment: ExperimentDetails }) {
  const { git, command, program, environment } = experiment
  const rows = [...flatten(environment)].toSorted((a, b) => byName(a[0], b[0]))
  return (
    <Section title="How it ran" flush>
      <div className="flex flex-col gap-3 p-4">
        {command !== null || program !== null ? (
          <CommandBlock title="Command" text={command ?? program ?? ''} />
        ) : (
          <p className="text-[13px] text-ink-faint">The client reported no command.</p>
        )}
        {git?.commit != null && (
          <CommandBlock
            title={`Git${git.remote === null ? '' : `: ${git.remote}`}`}
            text={
              git.remote === null
                ? `git checkout ${git.commit}`
                : `git clone ${git.remote}\ngit checkout ${git.commit}`
            }
          />
        )}
      </div>
      {rows.length > 0 && <ValueRows rows={rows} />}
    </Section>
  )
}

const shownWithoutSearch = 14

function Values({ title, values, none }: { title: string; values: Record<string, unknown>; none: string }) {
  const [typed, setTyped] = useState('')
  const rows = [...flatten(values)]
    .filter(([key]) => !/^_(?:wandb|timestamp)/.test(key))
    .toSorted((a, b) => byName(a[0], b[0]))
  const fits = matcher(typed)
  const shown = rows.filter(([key, value]) => fits(key) || fits(formatValue(value)))
  return (
    <Section
      title={title}
      {...(rows.length === 0 ? {} : { says: `${formatCount(rows.length)} keys` })}
      flush
      actions={
        <>
          {rows.length > shownWithoutSearch && (
            <Input
              small
              type="search"
              aria-label={`Find in ${title}`}
              placeholder="Find (regex)"
              value={typed}
              onChange={(event) => setTyped(event.target.value)}
              className="w-36"
            />
          )}
          {rows.length > 0 && (
            <CopyButton text={JSON.stringify(values, null, 2)} label={`Copy ${title} as JSON`} />
          )}
        </>
      }
    >
      {rows.length === 0 ? (
        <p className="px-4 py-3 text-[13px] text-ink-faint">{none}</p>
      ) : (
        <ValueRows rows={shown} />
      )}
    </Section>
  )
}

function ValueRows({ rows }: { rows: readonly (readonly [string, unknown])[] }) {
  return (
    <div className="scroll-quiet max-h-[32rem] overflow-auto">
      <table className="w-full table-fixed text-[13px]">
        <tbody>
          {rows.map(([key, value]) => (
            <tr key={key} className="border-t border-line hover:bg-hover">
              <th
                scope="row"
                className="w-2/5 truncate py-1 pl-4 text-left font-normal text-ink-soft"
                title={key}
              >
                {key}
              </th>
              <td className="truncate px-3 py-1 font-mono text-[12.5px]" title={exactValue(value)}>
                {formatValue(value)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
