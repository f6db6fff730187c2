import type { ConsoleLine } from '@teamgrid/api'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { formatCount, formatInstant } from '../../lib/format.ts'
import { useRemembered } from '../../lib/remember.ts'
import { Button, IconButton } from '../../ui/button.tsx'
import { Input } from '../../ui/field.tsx'
import { ChevronIcon, ClockIcon, DownloadIcon, FollowIcon, WrapIcon } from '../../ui/icons.tsx'
import { parseAnsi, type Piece, plainText } from './ansi.ts'
import { cutAt, findIn, searchPattern } from './search.ts'

const lineHeight = 20

/**
 * A console of any length: only the lines in sight are drawn and asked for.
 *
 * @param lineAt a loaded line, or undefined while it is on its way. `onSight` tells which lines are needed.
 * @param hits numbers of the lines that hold the search text, ascending; undefined while unknown.
 */
export function ConsoleViewer({
  total,
  lineAt,
  onSight,
  find,
  onFind,
  hits,
  line,
  onLine,
  live,
  onDownload,
}: {
  total: number
  lineAt: (line: number) => ConsoleLine | undefined
  onSight: (from: number, to: number) => void
  find: string
  onFind: (find: string) => void
  hits: readonly number[] | undefined
  /** The line that the address points to. */
  line: number | undefined
  onLine: (line: number | undefined) => void
  live: boolean
  onDownload: () => void
}) {
  const scroller = useRef<HTMLDivElement>(null)
  const [wrap, setWrap] = useRemembered('console.wrap', true)
  const [times, setTimes] = useRemembered('console.times', false)
  const [follow, setFollow] = useState(live && line === undefined)
  const [current, setCurrent] = useState(0)
  const [typed, setTyped] = useState(find)
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => lineHeight,
    overscan: 20,
  })
  const items = virtual.getVirtualItems()
  const from = items[0]?.index ?? 0
  const to = items.at(-1)?.index ?? 0
  const sight = useRef(onSight)
  sight.current = onSight
  useEffect(() => sight.current(from, to), [from, to])

  // A change of layout makes all measured heights worthless.
  const layout = useRef({ wrap, times })
  useEffect(() => {
    if (layout.current.wrap === wrap && layout.current.times === times) return
    layout.current = { wrap, times }
    virtual.measure()
    for (const row of scroller.current?.querySelectorAll<HTMLElement>('[data-index]') ?? [])
      virtual.measureElement(row)
  }, [wrap, times, virtual])
  useEffect(() => {
    if (follow && total > 0) virtual.scrollToIndex(total - 1, { align: 'end' })
  }, [follow, total, virtual])
  const opened = useRef(false)
  useEffect(() => {
    if (opened.current || total === 0) return
    opened.current = true
    if (line !== undefined) virtual.scrollToIndex(Math.min(line, total - 1), { align: 'center' })
  }, [line, total, virtual])
  useEffect(() => {
    if (typed === find) return
    const timer = setTimeout(() => {
      setCurrent(0)
      onFind(typed)
    }, 250)
    return () => clearTimeout(timer)
    // oxlint-disable-next-line react/exhaustive-deps
  }, [typed])
  useEffect(() => {
    const target = hits?.[current]
    if (find !== '' && target !== undefined) virtual.scrollToIndex(target, { align: 'center' })
    // Jumps when the search or the place in it changes, not for every new line of a live console.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [find, current, hits === undefined])

  const pattern = searchPattern(find)
  const count = hits?.length ?? 0
  const step = (by: number) => {
    setFollow(false)
    if (count > 0) setCurrent((at) => (at + by + count) % count)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    step(event.shiftKey ? -1 : 1)
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <div className="flex flex-wrap items-center gap-1.5 border-b border-line bg-surface px-3 py-1.5">
        <Input
          small
          type="search"
          aria-label="Search the console"
          placeholder="Search, or /regex/"
          value={typed}
          spellCheck={false}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={onKeyDown}
          className="w-48"
        />
        {find !== '' && (
          <>
            <span role="status" className="min-w-16 text-xs text-ink-faint">
              {pattern === undefined
                ? 'not a pattern'
                : hits === undefined
                  ? 'searching'
                  : count === 0
                    ? 'not found'
                    : `${formatCount(current + 1)} of ${formatCount(count)}`}
            </span>
            <IconButton label="Previous (Shift Enter)" onClick={() => step(-1)} disabled={count === 0}>
              <ChevronIcon className="size-3.5 -rotate-90" />
            </IconButton>
            <IconButton label="Next (Enter)" onClick={() => step(1)} disabled={count === 0}>
              <ChevronIcon className="size-3.5 rotate-90" />
            </IconButton>
          </>
        )}
        <span className="ml-auto text-xs text-ink-faint max-sm:hidden">{formatCount(total)} lines</span>
        <IconButton label="Wrap long lines" pressed={wrap} onClick={() => setWrap(!wrap)}>
          <WrapIcon />
        </IconButton>
        <IconButton label="Show times" pressed={times} onClick={() => setTimes(!times)}>
          <ClockIcon />
        </IconButton>
        <IconButton label="Download all lines" onClick={onDownload}>
          <DownloadIcon />
        </IconButton>
        <Button
          small
          aria-pressed={follow}
          className={follow ? 'border-accent/40! bg-accent-wash! text-accent!' : ''}
          onClick={() => setFollow(!follow)}
        >
          <FollowIcon /> {follow ? 'Following' : 'Follow'}
        </Button>
      </div>
      <div
        ref={scroller}
        tabIndex={0}
        role="log"
        aria-label="Console"
        onWheel={(event) => event.deltaY < 0 && setFollow(false)}
        onKeyDown={(event) => ['ArrowUp', 'PageUp', 'Home'].includes(event.key) && setFollow(false)}
        onTouchMove={() => setFollow(false)}
        className="scroll-quiet min-h-0 flex-1 overflow-auto bg-sunken font-mono text-[12.5px] leading-5 outline-offset-[-2px]"
      >
        <div
          className={`relative ${wrap ? 'w-full' : 'w-max min-w-full'}`}
          style={{ height: virtual.getTotalSize() }}
        >
          {items.map((item) => {
            const content = lineAt(item.index)
            return (
              <div
                key={item.key}
                ref={virtual.measureElement}
                data-index={item.index}
                className={`absolute top-0 left-0 flex min-w-full ${line === item.index ? 'bg-accent-wash' : find !== '' && hits?.[current] === item.index ? 'bg-hover' : ''}`}
                style={{ transform: `translateY(${item.start}px)`, ...(wrap ? { width: '100%' } : {}) }}
              >
                <button
                  type="button"
                  tabIndex={-1}
                  aria-label={`Link to line ${item.index + 1}`}
                  title="Put this line into the address"
                  onClick={() => onLine(line === item.index ? undefined : item.index)}
                  className="w-14 shrink-0 pr-3 text-right text-ink-faint select-none hover:text-accent"
                >
                  {item.index + 1}
                </button>
                {times && (
                  <span className="w-40 shrink-0 pr-3 text-ink-faint select-none">
                    {content?.time == null ? '' : formatInstant(Date.parse(content.time))}
                  </span>
                )}
                <span
                  className={`min-w-0 flex-1 pr-4 ${wrap ? 'break-words whitespace-pre-wrap' : 'whitespace-pre'} ${content?.level === 'error' ? 'text-bad' : ''}`}
                >
                  {content === undefined ? (
                    <span className="text-ink-faint">…</span>
                  ) : (
                    <Text text={content.text} pattern={pattern} />
                  )}
                </span>
              </div>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function Text({ text, pattern }: { text: string; pattern: RegExp | undefined }) {
  const pieces = parseAnsi(text)
  const cut =
    pattern === undefined
      ? pieces.map((piece) => ({ ...piece, hit: -1 }))
      : cutAt(pieces, findIn(plainText(text), pattern))
  return cut.map((piece, i) => (
    <span key={i} className={looks(piece)} style={colours(piece)}>
      {piece.hit >= 0 ? (
        <mark className="bg-mark text-ink">{piece.text}</mark>
      ) : piece.text === '' ? (
        '\u200b'
      ) : (
        piece.text
      )}
    </span>
  ))
}

function looks(piece: Piece): string {
  return [
    piece.bold && 'font-bold',
    piece.faint && 'opacity-60',
    piece.italic && 'italic',
    piece.underline && 'underline',
  ]
    .filter(Boolean)
    .join(' ')
}

function colours({ colour, background }: Piece): { color?: string; background?: string } {
  const css = (value: number | string) => (typeof value === 'number' ? `var(--ansi-${value})` : value)
  return {
    ...(colour === undefined ? {} : { color: css(colour) }),
    ...(background === undefined ? {} : { background: css(background) }),
  }
}
