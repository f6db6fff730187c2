import { os } from '../http/route.ts'
import type { Sweeps } from './service.ts'

const ref = ({ team, project, sweep }: { team: string; project: string; sweep: string }) => ({
  team,
  project,
  slug: sweep,
})

export function sweepRoutes(sweeps: Sweeps) {
  const on = os.sweeps
  return {
    list: on.list.handler(({ context, input }) => sweeps.list(context.actor, input)),
    create: on.create.handler(({ context, input: { team, project, config, priorExperiments } }) =>
      sweeps.shown.create(context.actor, { team, project, configText: config, prior: priorExperiments }),
    ),
    get: on.get.handler(({ context, input }) => sweeps.get(context.actor, ref(input))),
    analysis: on.analysis.handler(({ context, input }) =>
      sweeps.analysis(context.actor, { ...ref(input), limit: input.limit }),
    ),
    steer: on.steer.handler(({ context, input }) =>
      sweeps.shown.steer(context.actor, ref(input), input.action),
    ),
    change: on.change.handler(({ context, input: { name, description, ...where } }) =>
      sweeps.shown.change(context.actor, ref(where), { name, description }),
    ),
    delete: on.delete.handler(async ({ context, input }) => {
      await sweeps.remove(context.actor, ref(input))
      return { ok: true as const }
    }),
  }
}
