import {
  type GridError,
  readReport,
  type Report,
  type ReportBlock,
  type ReportPanel,
  writeReport,
} from '@teamgrid/api'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { Field, Input, Select, TextArea } from '../../ui/field.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { BlockView, ReportBody } from './report-body.tsx'
import { reportQuery } from './queries.ts'

type Edited = { key: number; block: ReportBlock }
type GridBlock = Extract<ReportBlock, { kind: 'panels' }>

let keys = 0
const keyed = (blocks: readonly ReportBlock[]): Edited[] =>
  blocks.map((block) => ({ key: (keys += 1), block }))

/** Blocks of Markdown and of panels, with what they will look like beside them. Nothing typed is lost to a conflict. */
export function ReportEditor({ report, onDone }: { report: Report; onDone: () => void }) {
  const queries = useQueryClient()
  const start = report.draft ?? report
  const [version, setVersion] = useState(report.version)
  const [title, setTitle] = useState(start.title)
  const [description, setDescription] = useState(start.description)
  const [blocks, setBlocks] = useState(() => keyed(readReport(start.spec)))
  const [busy, setBusy] = useState(false)
  const [isDirty, setDirty] = useState(false)
  const [isForgetting, setForgetting] = useState(false)
  const [theirs, setTheirs] = useState<Report>()
  const place = { team: report.team, project: report.project }
  const spec = () =>
    writeReport(
      blocks.map(({ block }) => block),
      start.spec,
    )

  useEffect(() => {
    if (!isDirty) return
    const warn = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', warn)
    return () => removeEventListener('beforeunload', warn)
  }, [isDirty])

  const change = (next: Edited[]) => {
    setBlocks(next)
    setDirty(true)
  }
  const save = async (publish: boolean, over = version) => {
    setBusy(true)
    try {
      const saved = await grid.reports.save({
        reportId: report.id,
        version: over,
        title,
        description,
        spec: spec(),
        publish,
      })
      setVersion(saved.version)
      setDirty(false)
      setTheirs(undefined)
      queries.setQueryData(reportQuery(report.id).queryKey, saved)
      await queries.invalidateQueries({ queryKey: api.reports.list.key() })
      tell(publish ? 'Published' : 'Draft saved')
      if (publish) onDone()
    } catch (problem) {
      if ((problem as GridError).code === 'conflict')
        await grid.reports.get({ reportId: report.id }).then(setTheirs, tellError)
      else tellError(problem)
    } finally {
      setBusy(false)
    }
  }
  const replace = (at: number, block: ReportBlock) =>
    change(blocks.map((each, i) => (i === at ? { ...each, block } : each)))
  const insert = (block: ReportBlock) => change([...blocks, ...keyed([block])])
  const move = (at: number, by: number) => {
    const next = [...blocks]
    const [taken] = next.splice(at, 1)
    next.splice(at + by, 0, taken!)
    change(next)
  }
  return (
    <div className="flex flex-col gap-4">
      <div className="sticky top-11 z-20 -mx-4 flex flex-wrap items-center gap-2 border-b border-line bg-canvas px-4 py-2">
        <span className="text-[13px] text-ink-faint">
          {isDirty ? 'Not saved' : report.isPublished ? 'Saved' : 'Draft, seen by those who may edit it'}
        </span>
        <div className="ml-auto flex gap-2">
          <Button small onClick={onDone}>
            Close
          </Button>
          {report.isPublished && report.draft !== null && (
            <Button small look="ghost" onClick={() => setForgetting(true)}>
              Forget draft
            </Button>
          )}
          <Button small busy={busy} onClick={() => void save(false)}>
            Save draft
          </Button>
          <Button small look="primary" busy={busy} onClick={() => void save(true)}>
            Publish
          </Button>
        </div>
      </div>
      <Field label="Title">
        {(props) => (
          <Input
            {...props}
            value={title}
            required
            maxLength={255}
            onChange={(event) => {
              setTitle(event.target.value)
              setDirty(true)
            }}
          />
        )}
      </Field>
      <Field label="In one sentence">
        {(props) => (
          <Input
            {...props}
            value={description}
            maxLength={5000}
            onChange={(event) => {
              setDescription(event.target.value)
              setDirty(true)
            }}
          />
        )}
      </Field>
      {blocks.map(({ key, block }, i) => (
        <section key={key} className="rounded-lg border border-line bg-surface" aria-label={`Block ${i + 1}`}>
          <header className="flex items-center gap-1 border-b border-line px-3 py-1 text-xs text-ink-faint">
            {{ text: 'Markdown', panels: 'Panels', other: 'Kept as it is' }[block.kind]}
            <div className="ml-auto flex gap-1">
              <Button small look="ghost" disabled={i === 0} aria-label="Move up" onClick={() => move(i, -1)}>
                ↑
              </Button>
              <Button
                small
                look="ghost"
                disabled={i === blocks.length - 1}
                aria-label="Move down"
                onClick={() => move(i, 1)}
              >
                ↓
              </Button>
              <Button
                small
                look="ghost"
                aria-label={`Remove block ${i + 1}`}
                onClick={() => change(blocks.filter((each) => each.key !== key))}
              >
                Remove
              </Button>
            </div>
          </header>
          <div className="grid gap-4 p-3 lg:grid-cols-2">
            {block.kind === 'text' ? (
              <TextArea
                aria-label={`Markdown of block ${i + 1}`}
                className="min-h-40 font-mono text-[13px]"
                rows={Math.min(24, block.markdown.split('\n').length + 3)}
                value={block.markdown}
                onChange={(event) => replace(i, { kind: 'text', markdown: event.target.value })}
              />
            ) : block.kind === 'panels' ? (
              <GridForm block={block} onChange={(next) => replace(i, next)} />
            ) : null}
            <div className="min-w-0">
              <BlockView block={block} index={i} place={place} />
            </div>
          </div>
        </section>
      ))}
      <div className="flex gap-2">
        <Button small onClick={() => insert({ kind: 'text', markdown: '' })}>
          Add text
        </Button>
        <Button small onClick={() => insert(emptyGrid())}>
          Add panels
        </Button>
      </div>
      <Confirm
        open={isForgetting}
        onClose={() => setForgetting(false)}
        title="Forget what is not published?"
        says="The report stays as its readers see it. What was changed since then is gone."
        verb="Forget draft"
        act={async () => {
          const kept = await grid.reports.discard({ reportId: report.id })
          queries.setQueryData(reportQuery(report.id).queryKey, kept)
          await queries.invalidateQueries({ queryKey: api.reports.list.key() })
          onDone()
        }}
      />
      {theirs !== undefined && (
        <Dialog
          open
          wide
          onClose={() => setTheirs(undefined)}
          title="Somebody saved this report while you were editing it"
        >
          <p className="text-ink-soft">
            {theirs.updatedBy?.name || theirs.updatedBy?.username || 'Somebody'} saved version{' '}
            {theirs.version}; yours began with {version}. Both texts are here; nothing is lost until you
            choose.
          </p>
          <div className="mt-3 grid gap-3 md:grid-cols-2">
            {[
              { name: 'Theirs', ...(theirs.draft ?? theirs) },
              { name: 'Yours', title, description, spec: spec() },
            ].map((each) => (
              <div key={each.name} className="min-w-0 rounded-md border border-line">
                <h3 className="border-b border-line px-3 py-1.5 text-[13px] font-semibold">{each.name}</h3>
                <div className="scroll-quiet flex max-h-[45vh] flex-col gap-3 overflow-auto p-3">
                  <p>
                    <span className="text-lg font-semibold">{each.title}</span>
                    <span className="block text-ink-soft">{each.description}</span>
                  </p>
                  <ReportBody spec={each.spec} place={place} />
                </div>
              </div>
            ))}
          </div>
          <div className="mt-4 flex flex-wrap justify-end gap-2">
            <Button onClick={() => setTheirs(undefined)}>Go on editing</Button>
            <Button
              onClick={() => {
                const kept = theirs.draft ?? theirs
                setTitle(kept.title)
                setDescription(kept.description)
                setBlocks(keyed(readReport(kept.spec)))
                setVersion(theirs.version)
                setDirty(false)
                setTheirs(undefined)
              }}
            >
              Take theirs
            </Button>
            <Button look="danger" busy={busy} onClick={() => void save(false, theirs.version)}>
              Save mine as a draft over it
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  )
}

function emptyGrid(): GridBlock {
  return {
    kind: 'panels',
    runSets: [
      {
        name: 'Experiments',
        team: null,
        project: null,
        search: '',
        filters: [],
        unknownFilters: 0,
        sort: [{ column: 'created_at', descending: true }],
        enabled: true,
      },
    ],
    panels: [emptyPanel()],
  }
}

function emptyPanel(): ReportPanel {
  return {
    id: Math.random().toString(36).slice(2, 12),
    kind: 'line',
    title: null,
    metrics: ['loss'],
    x: 'step',
    markdown: '',
    viewType: 'Run History Line Plot',
  }
}

/** Which experiments, and which panels over them. */
function GridForm({ block, onChange }: { block: GridBlock; onChange: (next: GridBlock) => void }) {
  // What was edited is written anew; the client's own form of it would say the old.
  const change = (next: Partial<GridBlock>) => {
    const { source: _, ...rest } = block
    onChange({ ...rest, ...next })
  }
  const [set] = block.runSets
  const changeSet = (next: Partial<NonNullable<typeof set>>) =>
    change({ runSets: [{ ...(set ?? emptyGrid().runSets[0]!), ...next }, ...block.runSets.slice(1)] })
  const chosen = set?.filters.find(({ column, op }) => column === 'slug' && op === 'in')?.value
  const changePanel = (at: number, next: Partial<ReportPanel>) =>
    change({ panels: block.panels.map((panel, i) => (i === at ? { ...panel, ...next } : panel)) })
  return (
    <div className="flex min-w-0 flex-col gap-3">
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Experiments whose name, tag or note has" help="Empty: the newest 20.">
          {(props) => (
            <Input
              {...props}
              small
              value={set?.search ?? ''}
              onChange={(event) => changeSet({ search: event.target.value })}
            />
          )}
        </Field>
        <Field label="Or these, by id" help="Separated by commas.">
          {(props) => (
            <Input
              {...props}
              small
              defaultValue={Array.isArray(chosen) ? chosen.join(', ') : ''}
              onBlur={(event) => {
                const slugs = event.target.value.split(/[,\s]+/).filter(Boolean)
                const others = (set?.filters ?? []).filter(
                  ({ column, op }) => column !== 'slug' || op !== 'in',
                )
                changeSet({
                  filters:
                    slugs.length === 0 ? others : [...others, { column: 'slug', op: 'in', value: slugs }],
                })
              }}
            />
          )}
        </Field>
      </div>
      {block.panels.map((panel, i) => (
        <fieldset
          key={`${panel.id} ${i}`}
          className="flex flex-wrap items-end gap-2 border-t border-line pt-2"
        >
          <Select
            small
            aria-label={`Kind of panel ${i + 1}`}
            value={panel.kind}
            onChange={(event) => changePanel(i, { kind: event.target.value as ReportPanel['kind'] })}
          >
            <option value="line">Line chart</option>
            <option value="bar">Bar chart</option>
            <option value="scalar">Value</option>
            <option value="compare">Table</option>
            <option value="text">Text</option>
            {panel.kind === 'unknown' && <option value="unknown">{panel.viewType}</option>}
          </Select>
          {panel.kind === 'text' ? (
            <TextArea
              aria-label={`Text of panel ${i + 1}`}
              className="min-w-48 flex-1"
              value={panel.markdown}
              onChange={(event) => changePanel(i, { markdown: event.target.value })}
            />
          ) : (
            <Input
              small
              aria-label={`Metrics of panel ${i + 1}`}
              placeholder="loss, val/loss"
              className="min-w-32 flex-1"
              defaultValue={panel.metrics.join(', ')}
              onBlur={(event) =>
                changePanel(i, {
                  metrics: event.target.value
                    .split(',')
                    .map((metric) => metric.trim())
                    .filter(Boolean),
                })
              }
            />
          )}
          <Input
            small
            aria-label={`Title of panel ${i + 1}`}
            placeholder="Title"
            className="w-28"
            defaultValue={panel.title ?? ''}
            onBlur={(event) => changePanel(i, { title: event.target.value.trim() || null })}
          />
          <Button
            small
            look="ghost"
            aria-label={`Remove panel ${i + 1}`}
            onClick={() => change({ panels: block.panels.filter((_, at) => at !== i) })}
          >
            Remove
          </Button>
        </fieldset>
      ))}
      <Button
        small
        className="self-start"
        onClick={() => change({ panels: [...block.panels, emptyPanel()] })}
      >
        Add panel
      </Button>
    </div>
  )
}
