import { readReport, type ReportBlock } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { Markdown } from './markdown.tsx'
import { Panels } from './panels.tsx'
import { panelsQuery, type Place, sharedPanelsQuery } from './queries.ts'

/** A report as its readers see it. `token`: by a share link, so nothing leads further. */
export function ReportBody({ spec, place, token }: { spec: string; place: Place; token?: string }) {
  const blocks = useMemo(() => readReport(spec), [spec])
  return (
    <div className="flex flex-col gap-5">
      {blocks.map((block, i) => (
        <BlockView
          key={i}
          block={block}
          index={i}
          place={place}
          {...(token === undefined ? {} : { token })}
        />
      ))}
    </div>
  )
}

export function BlockView({
  block,
  index,
  place,
  token,
}: {
  block: ReportBlock
  index: number
  place: Place
  token?: string
}) {
  switch (block.kind) {
    case 'text':
      return <Markdown text={block.markdown} />
    case 'panels':
      return token === undefined ? (
        <OwnPanels block={block} place={place} />
      ) : (
        <SharedPanels block={block} place={place} token={token} index={index} />
      )
    case 'other':
      return (
        <p className="rounded-md border border-dashed border-line px-3 py-2 text-[13px] text-ink-faint">
          A block “{block.type}” of the wandb client, kept and not shown.
        </p>
      )
  }
  return block satisfies never
}

type GridBlock = Extract<ReportBlock, { kind: 'panels' }>

function OwnPanels({ block, place }: { block: GridBlock; place: Place }) {
  const query = useQuery(panelsQuery(block, place))
  return (
    <Panels
      block={block}
      data={query.data}
      error={query.error}
      experimentLink={(row) => (
        <Link
          to="/$team/$project/runs/$id"
          params={{ team: row.team, project: row.project, id: row.slug }}
          className="hover:underline"
        >
          {row.name}
        </Link>
      )}
    />
  )
}

function SharedPanels({
  block,
  place,
  token,
  index,
}: {
  block: GridBlock
  place: Place
  token: string
  index: number
}) {
  const query = useQuery(sharedPanelsQuery(token, index))
  const isElsewhere = (set: GridBlock['runSets'][number]) =>
    (set.team ?? place.team) !== place.team || (set.project ?? place.project) !== place.project
  if (query.data?.rows.length === 0 && block.runSets.every(isElsewhere))
    return (
      <p className="rounded-md border border-dashed border-line px-3 py-2 text-[13px] text-ink-faint">
        Panels over another project, which this link does not show.
      </p>
    )
  return <Panels block={block} data={query.data} error={query.error} />
}
