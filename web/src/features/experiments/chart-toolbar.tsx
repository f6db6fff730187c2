import { useEffect, useState } from 'react'
import { Button, IconButton } from '../../ui/button.tsx'
import { Input, Select } from '../../ui/field.tsx'
import { ResetIcon } from '../../ui/icons.tsx'
import { Menu, MenuTick } from '../../ui/menu.tsx'
import type { BoardView } from './chart-board.tsx'

/** How all charts of a page are drawn: which panels, x axis, smoothing, zoom. */
export function ChartToolbar({
  view,
  change,
  axisKeys,
  defaultX = 'step',
}: {
  view: BoardView
  change: (next: Partial<BoardView>) => void
  /** Logged keys that can serve as the x axis. */
  axisKeys: readonly string[]
  defaultX?: string
}) {
  const x = view.x ?? defaultX
  return (
    <div className="flex flex-wrap items-center gap-2">
      <LazyInput
        label="Find panels"
        placeholder="Find panels (regex)"
        value={view.panels ?? ''}
        onChange={(panels) => change({ panels: panels === '' ? undefined : panels })}
        className="w-44"
      />
      <label className="flex items-center gap-1.5 text-[13px] text-ink-soft">
        <span className="max-sm:sr-only">x axis</span>
        <Select
          small
          value={x}
          aria-label="x axis"
          className="max-w-40"
          onChange={(event) =>
            change({
              x: event.target.value === defaultX ? undefined : event.target.value,
              from: undefined,
              to: undefined,
            })
          }
        >
          <option value="step">Step</option>
          <option value="runtime">Relative time</option>
          <option value="timestamp">Wall time</option>
          {axisKeys.length > 0 && (
            <optgroup label="Logged keys">
              {axisKeys.map((key) => (
                <option key={key}>{key}</option>
              ))}
            </optgroup>
          )}
        </Select>
      </label>
      <Smoothing
        value={view.smooth ?? 0}
        onChange={(smooth) => change({ smooth: smooth === 0 ? undefined : smooth })}
      />
      <Menu trigger={<Button small>Axes</Button>}>
        <MenuTick checked={view.logx === true} onChange={(on) => change({ logx: on ? true : undefined })}>
          Logarithmic x axis
        </MenuTick>
      </Menu>
      {view.from !== undefined && (
        <IconButton label="Leave the zoom" onClick={() => change({ from: undefined, to: undefined })}>
          <ResetIcon />
        </IconButton>
      )}
    </div>
  )
}

function Smoothing({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  const [held, setHeld] = useState(value)
  useEffect(() => setHeld(value), [value])
  // The address changes when the hand lets go, not for every pixel of the slider.
  useEffect(() => {
    if (held === value) return
    const timer = setTimeout(() => onChange(held), 120)
    return () => clearTimeout(timer)
    // oxlint-disable-next-line react/exhaustive-deps
  }, [held])
  return (
    <label className="flex items-center gap-1.5 text-[13px] text-ink-soft">
      <span className="max-sm:sr-only">Smoothing</span>
      <input
        type="range"
        aria-label="Smoothing"
        min={0}
        max={0.99}
        step={0.01}
        value={held}
        onChange={(event) => setHeld(Number(event.target.value))}
        className="w-24 accent-(--accent)"
      />
      <output className="w-8 text-ink">{held.toFixed(2)}</output>
    </label>
  )
}

/** A search box that tells its text a moment after the last key. */
export function LazyInput({
  label,
  value,
  onChange,
  placeholder,
  className = '',
}: {
  label: string
  value: string
  onChange: (value: string) => void
  placeholder: string
  className?: string
}) {
  const [held, setHeld] = useState(value)
  useEffect(() => setHeld(value), [value])
  useEffect(() => {
    if (held === value) return
    const timer = setTimeout(() => onChange(held), 250)
    return () => clearTimeout(timer)
    // oxlint-disable-next-line react/exhaustive-deps
  }, [held])
  return (
    <Input
      small
      type="search"
      aria-label={label}
      placeholder={placeholder}
      value={held}
      spellCheck={false}
      onChange={(event) => setHeld(event.target.value)}
      onKeyDown={(event) => event.key === 'Enter' && onChange(held)}
      className={className}
    />
  )
}
