import type { KeyInfo } from '@teamgrid/api'
import { useMemo } from 'react'
import { createHoverSync } from '../../charts/hover.ts'
import type { Range } from '../../charts/lines.ts'
import { useRemembered } from '../../lib/remember.ts'
import { Dialog } from '../../ui/dialog.tsx'
import { ChevronIcon } from '../../ui/icons.tsx'
import { ChartPanel, type Drawn } from './chart-panel.tsx'
import { panelSections } from './panels.ts'

export type BoardView = {
  x?: string
  logx?: true
  smooth?: number
  from?: number
  to?: number
  panels?: string
  logy?: string[]
  panel?: string
}

/** All panels of some experiments in collapsible sections; hovering and zooming one moves all. */
export function ChartBoard({
  keys,
  experiments,
  view,
  change,
  stream,
  defaultX = 'step',
  xOf,
  memory,
}: {
  keys: readonly KeyInfo[]
  experiments: readonly Drawn[]
  view: BoardView
  change: (next: Partial<BoardView>) => void
  stream?: 'history' | 'system'
  defaultX?: string
  /** The axis a key asks for itself, when the person chose none. */
  xOf?: (key: string) => string | undefined
  /** Under which name collapsed sections are remembered. */
  memory: string
}) {
  const hoverSync = useMemo(() => createHoverSync(), [])
  const sections = useMemo(
    () =>
      panelSections(
        keys.filter((key) => key.kind === 'number'),
        view.panels,
      ),
    [keys, view.panels],
  )
  const [collapsed, setCollapsed] = useRemembered<string[]>(`collapsed.${memory}`, [])
  const range = useMemo<Range | undefined>(
    () => (view.from === undefined || view.to === undefined ? undefined : { from: view.from, to: view.to }),
    [view.from, view.to],
  )
  const panel = (key: string, large: boolean) => {
    const logY = view.logy?.includes(key) ?? false
    return (
      <ChartPanel
        key={key}
        metric={key}
        {...(stream === undefined ? {} : { stream })}
        experiments={experiments}
        view={{
          x: view.x ?? xOf?.(key) ?? defaultX,
          logX: view.logx === true,
          smoothing: view.smooth ?? 0,
          range,
        }}
        logY={logY}
        hoverSync={hoverSync}
        onRange={(next) => change({ from: next?.from, to: next?.to })}
        onLogY={(on) =>
          change({
            logy: listOrNone(
              on ? [...(view.logy ?? []), key] : (view.logy ?? []).filter((each) => each !== key),
            ),
          })
        }
        {...(large ? { tall: true } : { onOpen: () => change({ panel: key }) })}
      />
    )
  }
  return (
    <div className="flex flex-col">
      {sections.map((section) => {
        const open = !collapsed.includes(section.name)
        return (
          <section key={section.name} aria-label={section.name}>
            <h2 className="sticky top-0 z-10 bg-canvas">
              <button
                type="button"
                aria-expanded={open}
                onClick={() =>
                  setCollapsed(
                    open ? [...collapsed, section.name] : collapsed.filter((each) => each !== section.name),
                  )
                }
                className="flex h-9 w-full items-center gap-1.5 px-3 text-left text-[13px] font-semibold"
              >
                <ChevronIcon
                  className={`size-3 text-ink-faint transition-transform ${open ? 'rotate-90' : ''}`}
                />
                {section.name}
                <span className="font-normal text-ink-faint">{section.keys.length}</span>
              </button>
            </h2>
            {open && (
              <div className="grid grid-cols-[repeat(auto-fit,minmax(min(100%,22rem),1fr))] gap-2 px-3 pb-3">
                {section.keys.map((key) => panel(key, false))}
              </div>
            )}
          </section>
        )
      })}
      <Dialog
        wide
        open={view.panel !== undefined}
        onClose={() => change({ panel: undefined })}
        title={view.panel ?? ''}
      >
        {view.panel !== undefined && panel(view.panel, true)}
      </Dialog>
    </div>
  )
}

const listOrNone = (list: string[]): string[] | undefined => (list.length === 0 ? undefined : list)
