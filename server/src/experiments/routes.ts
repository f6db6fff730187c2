import { os } from '../http/route.ts'
import type { Experiments } from './service.ts'

const ref = ({ team, project, experiment }: { team: string; project: string; experiment: string }) => ({
  team,
  project,
  slug: experiment,
})

export function experimentRoutes(experiments: Experiments) {
  const on = os.experiments
  return {
    query: on.query.handler(({ context, input }) => experiments.query(context.actor, input)),
    columns: on.columns.handler(({ context, input }) => experiments.columns(context.actor, input)),
    get: on.get.handler(({ context, input }) => experiments.get(context.actor, ref(input))),
    change: on.change.handler(({ context, input: { experiment: slug, ...input } }) =>
      experiments.change(context.actor, { ...input, slug }),
    ),
    stop: on.stop.handler(({ context, input }) => experiments.stop(context.actor, ref(input))),
    delete: on.delete.handler(async ({ context, input }) => {
      await experiments.delete(context.actor, ref(input))
      return { ok: true as const }
    }),
    move: on.move.handler(({ context, input }) => experiments.move(context.actor, input)),
    keys: on.keys.handler(({ context, input }) => experiments.keys(context.actor, input)),
    curves: on.curves.handler(({ context, input }) => experiments.curves(context.actor, input)),
    media: on.media.handler(({ context, input }) =>
      experiments.media(context.actor, { ...input, ...ref(input) }),
    ),
    console: on.console.handler(({ context, input }) =>
      experiments.console(context.actor, { ...input, ...ref(input) }),
    ),
    files: on.files.handler(({ context, input }) =>
      experiments.files(context.actor, ref(input), input.prefix),
    ),
    alerts: on.alerts.handler(({ context, input }) => experiments.alerts(context.actor, input)),
    resolve: on.resolve.handler(({ context, input }) => experiments.resolve(context.actor, input)),
    status: on.status.handler(({ context, input }) => experiments.status(context.actor, input)),
  }
}
