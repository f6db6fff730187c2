import type { Alert } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { Tag } from '../../ui/feedback.tsx'
import { Ago } from '../../ui/time.tsx'

const tones = { info: 'plain', warn: 'warn', error: 'bad' } as const

/** What scripts reported with `wandb.alert`. */
export function AlertList({ alerts, team }: { alerts: readonly Alert[]; team: string }) {
  if (alerts.length === 0)
    return (
      <p className="px-4 py-3 text-[13px] text-ink-faint">
        None. Scripts report with run.alert(title, text).
      </p>
    )
  return (
    <ul className="divide-y divide-line text-[13px]">
      {alerts.map((alert) => (
        <li key={alert.id} className="px-4 py-2">
          <div className="flex items-center gap-2">
            <Tag tone={tones[alert.level]}>{alert.level}</Tag>
            <span className="min-w-0 truncate font-medium">{alert.title}</span>
            <span className="ml-auto shrink-0 text-ink-faint">
              <Ago at={alert.createdAt} />
            </span>
          </div>
          {alert.text !== '' && (
            <p className="mt-0.5 line-clamp-3 break-words whitespace-pre-line text-ink-soft">{alert.text}</p>
          )}
          {alert.experiment !== null && (
            <Link
              to="/$team/$project/runs/$id"
              params={{ team, project: alert.experiment.project, id: alert.experiment.slug }}
              className="text-ink-faint hover:underline"
            >
              {alert.experiment.project} / {alert.experiment.name}
            </Link>
          )}
        </li>
      ))}
    </ul>
  )
}
