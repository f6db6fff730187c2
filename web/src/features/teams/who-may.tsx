import {
  type Column,
  columns,
  type EffectiveAnswer,
  effectiveTable,
  isPolicyPreset,
  type PolicySwitches,
  type Team,
} from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { grid } from '../../lib/client.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Field, Input, Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Tip } from '../../ui/tooltip.tsx'
import { projectsQuery } from './queries.ts'

const titles: Record<Column, string> = {
  O: 'Owner',
  M: 'Member',
  V: 'View only',
  S: 'Service',
  TA: 'Team admin',
  OA: 'Org. admin',
  N: 'Others',
}
const marks: Record<EffectiveAnswer['may'], { sign: string; says: string; look: string }> = {
  yes: { sign: '✓', says: 'yes', look: 'text-good' },
  no: { sign: '–', says: 'no', look: 'text-ink-faint' },
  own: { sign: 'own', says: 'only what it made itself', look: 'text-ink-soft' },
  some: { sign: 'some', says: 'some of it', look: 'text-ink-soft' },
}

/** The permission table as this team's policy decides it now; the server asks the same one. */
export function WhoMayDoWhat({ team }: { team: Team }) {
  const [words, setWords] = useState('')
  const rows = effectiveTable({
    preset: isPolicyPreset(team.policy.preset) ? team.policy.preset : 'default',
    switches: team.policy.switches as PolicySwitches,
    locked: [],
  }).filter((row) => row.says.toLowerCase().includes(words.toLowerCase()))
  return (
    <Section
      title="Who may do what here"
      says={`Under the policy of ${team.slug} as it is now. What hangs on a switch is underlined.`}
      flush
    >
      <div className="border-b border-line px-4 py-2">
        <Input
          small
          type="search"
          aria-label="Find an activity"
          placeholder="Find an activity"
          value={words}
          onChange={(event) => setWords(event.target.value)}
          className="w-56"
        />
      </div>
      <PlainTable
        label="Who may do what here"
        head={['Activity', ...columns.map((column) => titles[column])]}
      >
        {rows.map((row) => (
          <tr key={row.number}>
            <td className="sticky left-0 min-w-36 bg-surface sm:min-w-44">{row.says}</td>
            {columns.map((column) => (
              <td key={column} className="text-center">
                <Answer answer={row.answers[column]} />
              </td>
            ))}
          </tr>
        ))}
        {rows.length === 0 && (
          <tr>
            <td colSpan={columns.length + 1} className="text-ink-faint">
              No activity reads like that.
            </td>
          </tr>
        )}
      </PlainTable>
      <p className="border-t border-line px-4 py-2.5 text-[13px] text-ink-faint">
        Owner: who made a thing. The columns after it are about things of others.{' '}
        <a href="/docs/roles" className="text-accent hover:underline">
          The whole table with every preset
        </a>
      </p>
    </Section>
  )
}

function Answer({ answer }: { answer: EffectiveAnswer }) {
  const mark = marks[answer.may]
  const more = [answer.note, answer.policy && `switch ${answer.policy}`].filter(Boolean).join('; ')
  const sign = (
    <span
      className={`${mark.look} ${answer.policy === undefined ? '' : 'underline decoration-dotted underline-offset-4'}`}
    >
      <span aria-hidden>{mark.sign}</span>
      <span className="sr-only">
        {mark.says}
        {more && ` (${more})`}
      </span>
    </span>
  )
  return more === '' ? (
    sign
  ) : (
    <Tip says={`${mark.says}: ${more}`}>
      <span tabIndex={0}>{sign}</span>
    </Tip>
  )
}

/** Why somebody can, or cannot, see something: asked of the server, answered in one sentence. */
export function WhyVisible({ team }: { team: Team }) {
  const projects = useQuery(projectsQuery(team.slug))
  const [answer, setAnswer] = useState<{ sees: boolean; sentence: string }>()
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    setAnswer(undefined)
    const project = fieldOf(form, 'project')
    const experiment = fieldOf(form, 'experiment').trim()
    setAnswer(
      await grid.teams.why({
        team: team.slug,
        person: fieldOf(form, 'person').trim(),
        ...(project === '' ? {} : { project }),
        ...(experiment === '' ? {} : { experiment }),
      }),
    )
  })
  return (
    <Section title="Why can this person see this?" says="For anybody, and anything you see yourself.">
      <form onSubmit={onSubmit} className="flex flex-wrap items-end gap-3">
        <Field label="Person">
          {(props) => (
            <Input
              {...props}
              name="person"
              required
              maxLength={64}
              placeholder="username"
              autoCapitalize="none"
              spellCheck={false}
              className="w-40"
            />
          )}
        </Field>
        <Field label="Project">
          {(props) => (
            <Select {...props} name="project" className="w-44">
              <option value="">the team itself</option>
              {projects.data?.map((project) => (
                <option key={project.id} value={project.name}>
                  {project.name}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Experiment (optional)">
          {(props) => (
            <Input {...props} name="experiment" maxLength={200} placeholder="name" className="w-44" />
          )}
        </Field>
        <Button type="submit" busy={busy} className="h-9">
          Explain
        </Button>
      </form>
      <p role="status" className="mt-3 min-h-5 break-words">
        {error !== undefined && <span className="text-bad">{error.message}</span>}
        {answer?.sentence}
      </p>
    </Section>
  )
}
