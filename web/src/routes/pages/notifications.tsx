import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { MarkAllRead, NotificationRows } from '../../features/alerts/notification-list.tsx'
import { notificationsQuery } from '../../features/alerts/queries.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { Segmented } from '../../ui/tabs.tsx'

const route = getRouteApi('/inside/notifications')

/** Everything I was told. */
export function NotificationsPage() {
  const { unread = false } = route.useSearch()
  const navigate = route.useNavigate()
  const query = useQuery(notificationsQuery(200, unread))
  return (
    <Page
      title="Notifications"
      actions={
        <>
          <Segmented
            label="Which"
            value={unread ? 'unread' : 'all'}
            onChange={(value) => void navigate({ search: value === 'unread' ? { unread: true } : {} })}
            choices={[
              { value: 'all', label: 'All' },
              { value: 'unread', label: 'Unread' },
            ]}
          />
          <MarkAllRead unread={query.data?.unread ?? 0} />
          <Link
            to="/settings"
            hash="notifications"
            className="self-center text-[13px] text-accent hover:underline"
          >
            What I am told of
          </Link>
        </>
      }
    >
      <section className="rounded-lg border border-line bg-surface [&_ul]:border-t-0">
        {query.isError ? (
          <Problem error={query.error} retry={() => void query.refetch()} />
        ) : query.data === undefined ? (
          <SkeletonRows />
        ) : (
          <NotificationRows items={query.data.items} />
        )}
      </section>
    </Page>
  )
}
