import type { Notification } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { BellIcon } from '../../ui/icons.tsx'
import { Popover } from '../../ui/popover.tsx'
import { Ago } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { Tip } from '../../ui/tooltip.tsx'
import { notificationsQuery } from './queries.ts'

const tones = { info: 'plain', warn: 'warn', error: 'bad' } as const

/** The bell in the bar: how much is new, and the newest of it. */
export function NotificationBell() {
  const query = useQuery(notificationsQuery(10))
  const [open, setOpen] = useState(false)
  const unread = query.data?.unread ?? 0
  const says = unread === 0 ? 'Notifications, none new' : `Notifications, ${unread} new`
  return (
    <Popover
      label="Notifications"
      open={open}
      onOpenChange={setOpen}
      trigger={
        <button
          type="button"
          aria-label={says}
          className="relative grid size-7 shrink-0 place-items-center rounded text-ink-soft hover:bg-hover hover:text-ink"
        >
          <BellIcon />
          {unread > 0 && (
            <span
              aria-hidden
              className="absolute -top-0.5 -right-0.5 grid h-4 min-w-4 place-items-center rounded-full bg-bad px-1 text-[10px] leading-none font-semibold text-white tabular-nums dark:text-black"
            >
              {unread > 99 ? '99+' : unread}
            </span>
          )}
        </button>
      }
    >
      <div className="w-[min(24rem,calc(100vw-24px))]">
        <div className="flex items-center gap-2 px-4 py-1.5">
          <span className="text-sm font-semibold">Notifications</span>
          <span className="ml-auto">
            <MarkAllRead unread={unread} />
          </span>
        </div>
        {query.isError ? (
          <Problem error={query.error} retry={() => void query.refetch()} />
        ) : query.data === undefined ? (
          <SkeletonRows rows={3} />
        ) : (
          <NotificationRows items={query.data.items} onOpen={() => setOpen(false)} />
        )}
        <Link
          to="/notifications"
          onClick={() => setOpen(false)}
          className="block border-t border-line px-4 py-2 text-[13px] text-accent hover:underline"
        >
          All notifications
        </Link>
      </div>
    </Popover>
  )
}

export function MarkAllRead({ unread }: { unread: number }) {
  const read = useRead()
  return (
    <Button small look="ghost" disabled={unread === 0} onClick={() => read()}>
      Mark all read
    </Button>
  )
}

/** Rows with title, text and time; opening one marks it read. */
export function NotificationRows({ items, onOpen }: { items: readonly Notification[]; onOpen?: () => void }) {
  const read = useRead()
  if (items.length === 0)
    return (
      <p className="px-4 py-3 text-[13px] text-ink-faint">
        Nothing yet. Failed experiments, wandb.alert() and rules of your teams show up here.
      </p>
    )
  return (
    <ul className="divide-y divide-line border-t border-line text-[13px]">
      {items.map((item) => (
        <li
          key={item.id}
          className={`relative flex gap-2.5 py-2.5 pr-3 pl-4 ${item.readAt === null ? '' : 'opacity-70'}`}
        >
          <span
            aria-hidden
            className={`mt-1.5 size-2 shrink-0 rounded-full ${item.readAt === null ? 'bg-accent' : 'bg-transparent'}`}
          />
          <div className="min-w-0 flex-1">
            <div className="flex items-baseline gap-2">
              <span className={`min-w-0 break-words ${item.readAt === null ? 'font-medium' : ''}`}>
                {item.link === null ? (
                  item.title
                ) : (
                  <Link
                    to={item.link}
                    className="hover:underline"
                    onClick={() => {
                      if (item.readAt === null) read([item.id])
                      onOpen?.()
                    }}
                  >
                    {item.title}
                  </Link>
                )}
              </span>
              <span className="ml-auto shrink-0 text-xs text-ink-faint">
                <Ago at={item.createdAt} />
              </span>
            </div>
            {item.text !== '' && item.text !== `${item.title}.` && (
              <p className="line-clamp-3 break-words whitespace-pre-line text-ink-soft">{item.text}</p>
            )}
            <div className="mt-1 flex items-center gap-2">
              {item.level !== 'info' && <Tag tone={tones[item.level]}>{item.level}</Tag>}
              <span className="truncate text-xs text-ink-faint">{item.team}</span>
              {item.readAt === null && (
                <Tip says="Mark as read">
                  <button
                    type="button"
                    className="ml-auto rounded px-1 text-xs text-ink-faint hover:bg-hover hover:text-ink"
                    aria-label={`Mark “${item.title}” as read`}
                    onClick={() => read([item.id])}
                  >
                    Read
                  </button>
                </Tip>
              )}
            </div>
          </div>
        </li>
      ))}
    </ul>
  )
}

function useRead() {
  const queries = useQueryClient()
  return (ids?: string[]) => {
    grid.notifications
      .read(ids === undefined ? {} : { ids })
      .then(() => queries.invalidateQueries({ queryKey: api.notifications.list.key() }))
      .catch(tellError)
  }
}
