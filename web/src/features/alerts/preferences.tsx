import { type NotificationKind, notificationKinds } from '@teamgrid/api'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'
import { SkeletonRows } from '../../ui/feedback.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { tellError } from '../../ui/toast.tsx'
import { preferencesQuery } from './queries.ts'

const kinds: Record<NotificationKind, [title: string, says: string]> = {
  script: ['Reports of my scripts', 'wandb.alert() in my experiments'],
  failure: ['My experiments fail or crash', 'with the exit code'],
  finish: ['My experiments finish', 'also when they were stopped'],
  rule: ['Alert rules', 'of my teams that name me, and my own'],
  report: ['Reports I follow', 'new comments, publications'],
  budget: ['Credits and budgets', 'of the teams that I look after'],
  act: ['Acts of others on my things', 'such as stopping my experiment'],
}

/** What I want to be told of, and how. */
export function NotificationPreferences() {
  const queries = useQueryClient()
  const query = useQuery(preferencesQuery())
  const change = useMutation({
    mutationFn: (preferences: Parameters<typeof grid.notifications.prefer>[0]['preferences']) =>
      grid.notifications.prefer({ preferences }),
    onSuccess: (next) => queries.setQueryData(preferencesQuery().queryKey, next),
    onError: tellError,
  })
  return (
    <Section
      title="Notifications"
      says={
        query.data?.mailIsOn === false ? 'This server has no mail server; mail waits for one.' : undefined
      }
      flush
    >
      {query.data === undefined ? (
        <SkeletonRows rows={6} />
      ) : (
        <PlainTable label="How I am told of what" head={['', 'In the app', 'By e-mail']}>
          {notificationKinds.map((kind) => {
            const ways = query.data.preferences[kind]
            const [title, says] = kinds[kind]
            return (
              <tr key={kind}>
                <td>
                  <span className="font-medium">{title}</span>
                  <span className="block text-ink-faint">{says}</span>
                </td>
                {(['app', 'email'] as const).map((way) => (
                  <td key={way}>
                    <input
                      type="checkbox"
                      className="size-4 accent-(--accent)"
                      aria-label={`${title}: ${way === 'app' ? 'in the app' : 'by e-mail'}`}
                      checked={ways[way]}
                      disabled={change.isPending}
                      onChange={(event) =>
                        change.mutate({ [kind]: { ...ways, [way]: event.target.checked } })
                      }
                    />
                  </td>
                ))}
              </tr>
            )
          })}
        </PlainTable>
      )}
    </Section>
  )
}
