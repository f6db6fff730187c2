import type { MediaItem } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useMemo, useRef, useState } from 'react'
import { useInSight } from '../../charts/in-sight.ts'
import { formatCount } from '../../lib/format.ts'
import { Problem, Skeleton } from '../../ui/feedback.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Histogram } from './histogram.tsx'
import { isRecord } from './values.ts'
import { LoggedPlot } from './logged-plot.tsx'
import { LoggedTable } from './logged-table.tsx'

type File = MediaItem['files'][number]

/**
 * One logged media key with a slider over its steps. It stays on the newest step until somebody moves it.
 *
 * @param query asks for the items; built by the page that knows the experiment.
 */
export function MediaPanel({
  metric,
  query,
  fileUrl,
}: {
  metric: string
  query: Parameters<typeof useQuery<MediaItem[]>>[0]
  fileUrl: (path: string) => string | undefined
}) {
  const frame = useRef<HTMLElement>(null)
  const inSight = useInSight(frame, 400)
  const items = useQuery<MediaItem[]>({ ...query, enabled: inSight })
  const steps = useMemo(
    () => [...new Set(items.data?.map((item) => item.step) ?? [])].toSorted((a, b) => a - b),
    [items.data],
  )
  const [chosen, setChosen] = useState<number>()
  const at =
    chosen === undefined
      ? steps.length - 1
      : Math.max(
          0,
          steps.findLastIndex((step) => step <= chosen),
        )
  const step = steps[at]
  const shown = items.data?.filter((item) => item.step === step) ?? []
  const wide = shown.some((item) => /table|plotly|html/.test(item.type))
  return (
    <figure
      ref={frame}
      data-panel={metric}
      className={`flex min-w-0 flex-col rounded-md border border-line bg-surface ${wide ? 'sm:col-span-2' : ''}`}
    >
      <figcaption className="flex h-9 items-center gap-2 border-b border-line px-3">
        <span className="min-w-0 truncate text-[13px] font-medium" title={metric}>
          {metric}
        </span>
        {steps.length > 1 && (
          <label className="ml-auto flex shrink-0 items-center gap-2 text-xs text-ink-faint">
            <span>step {step === undefined ? '' : formatCount(step)}</span>
            <input
              type="range"
              aria-label={`Step of ${metric}`}
              aria-valuetext={`step ${step}`}
              min={0}
              max={steps.length - 1}
              value={at}
              onChange={(event) => {
                const next = Number(event.target.value)
                setChosen(next === steps.length - 1 ? undefined : steps[next])
              }}
              className="w-28 accent-(--accent)"
            />
          </label>
        )}
        {steps.length === 1 && (
          <span className="ml-auto text-xs text-ink-faint">step {formatCount(step!)}</span>
        )}
      </figcaption>
      <div className="min-h-24">
        {items.isError && <Problem error={items.error} retry={() => void items.refetch()} />}
        {items.data === undefined && !items.isError && <Skeleton className="m-3 h-40" />}
        {items.data?.length === 0 && <p className="p-3 text-[13px] text-ink-faint">Nothing logged yet.</p>}
        {shown.map((item, i) => (
          <Media key={`${item.step}/${i}`} item={item} fileUrl={fileUrl} />
        ))}
      </div>
    </figure>
  )
}

function Media({ item, fileUrl }: { item: MediaItem; fileUrl: (path: string) => string | undefined }) {
  const type = item.type
  if (item.files.some((file) => file.url === ''))
    return (
      <p className="p-3 text-[13px] text-ink-faint">
        The team’s policy does not let view-only members download files, so media is not shown.
      </p>
    )
  if (/^images?(?:-file|\/separated)?$/.test(type)) return <Pictures files={item.files} />
  if (type === 'table-file' || type === 'table' || type === 'incremental-table-file')
    return each(item.files, (file) => (
      <LoggedTable key={file.path} url={file.url} label={item.key} fileUrl={fileUrl} />
    ))
  if (type === 'histogram') return <Histogram value={item.value} />
  if (type.startsWith('audio'))
    return captioned(item.files, (file) => (
      <audio controls preload="none" src={file.url} className="w-full" />
    ))
  if (type.startsWith('video')) {
    return captioned(item.files, (file) =>
      // A moving picture in GIF form is a picture to the browser.
      /\.gif$/i.test(file.path) ? (
        <img src={file.url} alt={file.caption ?? item.key} className="max-h-96 max-w-full" />
      ) : (
        <video controls preload="metadata" src={file.url} className="max-h-96 w-full" />
      ),
    )
  }
  // Pages that scripts log run in an origin of their own: no allow-same-origin, so they reach nothing here.
  if (type.startsWith('html'))
    return each(item.files, (file) => (
      <iframe
        key={file.path}
        title={item.key}
        sandbox="allow-scripts"
        referrerPolicy="no-referrer"
        loading="lazy"
        src={file.url}
        className="h-96 w-full border-0 bg-white"
      />
    ))
  if (type.startsWith('plotly'))
    return each(item.files, (file) => <LoggedPlot key={file.path} url={file.url} label={item.key} />)
  if (item.files.length > 0) return <Downloads files={item.files} type={type} />
  return (
    <pre className="scroll-quiet max-h-80 overflow-auto p-3 font-mono text-[12.5px] break-words whitespace-pre-wrap">
      {typeof item.value === 'string'
        ? item.value
        : JSON.stringify(isRecord(item.value) ? { ...item.value, _type: undefined } : item.value, null, 2)}
    </pre>
  )
}

const each = (files: readonly File[], draw: (file: File) => ReactNode) => <>{files.map(draw)}</>

function captioned(files: readonly File[], draw: (file: File) => ReactNode) {
  return (
    <div className="flex flex-col gap-3 p-3">
      {files.map((file) => (
        <div key={file.path}>
          {draw(file)}
          {file.caption !== null && <p className="mt-1 text-xs text-ink-soft">{file.caption}</p>}
        </div>
      ))}
    </div>
  )
}

function Pictures({ files }: { files: readonly File[] }) {
  const [open, setOpen] = useState<number>()
  const large = open === undefined ? undefined : files[open]
  return (
    <>
      <ul
        className={`grid gap-2 p-3 ${files.length > 1 ? 'grid-cols-[repeat(auto-fill,minmax(6rem,1fr))]' : ''}`}
      >
        {files.map((file, i) => (
          <li key={file.path}>
            <button
              type="button"
              onClick={() => setOpen(i)}
              className="block w-full overflow-hidden rounded border border-line bg-sunken hover:border-accent"
              aria-label={`Open ${file.caption ?? file.path}`}
            >
              <img
                src={file.url}
                alt={file.caption ?? ''}
                loading="lazy"
                className={`mx-auto w-full object-contain ${files.length > 1 ? 'h-24' : 'max-h-80 min-h-24'} [image-rendering:auto]`}
              />
            </button>
            {file.caption !== null && (
              <p className="mt-0.5 line-clamp-2 text-xs break-words text-ink-soft" title={file.caption}>
                {file.caption}
              </p>
            )}
          </li>
        ))}
      </ul>
      <Dialog
        wide
        open={large !== undefined}
        onClose={() => setOpen(undefined)}
        title={large?.caption ?? large?.path.split('/').at(-1) ?? ''}
      >
        {large !== undefined && (
          <img
            src={large.url}
            alt={large.caption ?? ''}
            className="mx-auto max-h-[68vh] min-h-64 max-w-full object-contain [image-rendering:pixelated]"
          />
        )}
      </Dialog>
    </>
  )
}

function Downloads({ files, type }: { files: readonly File[]; type: string }) {
  return (
    <ul className="p-3 text-[13px]">
      {files.map((file) => (
        <li key={file.path}>
          <a href={file.url} download className="text-accent hover:underline">
            {file.path}
          </a>{' '}
          <span className="text-ink-faint">{type}</span>
        </li>
      ))}
    </ul>
  )
}
