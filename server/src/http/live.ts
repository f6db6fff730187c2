import type { FastifyPluginAsync } from 'fastify'
import { GridError } from '@teamgrid/api'
import type { Access } from '../access.ts'
import type { Actor } from '../actor.ts'
import type { Event, Events } from '../events.ts'
import type { Authenticate } from './auth.ts'

/** How long changes are gathered before they are told: many of one kind become one message. */
const gatherMs = 250
/** Who listens is proven again this often, so that a revoked key or an ended session hears nothing more. */
const proveAgainMs = 5_000
const streamsMax = 5_000

/** `/api/live`: one stream of server-sent events per browser, saying what changed and never the data. */
export function liveEdge(deps: {
  access: Access
  authenticate: Authenticate
  events: Events
}): FastifyPluginAsync {
  let streams = 0
  return async (app) => {
    app.get('/api/live', async (request, reply) => {
      const actor = await deps.authenticate(request)
      if (actor.kind === 'anonymous') throw new GridError('unauthenticated')
      if (streams >= streamsMax) throw new GridError('overloaded', undefined, { retryAfterSeconds: 10 })
      let listener = actor
      const privacy = createPrivacy(deps.access)
      let visible = new Set(await deps.access.contentTeamIds(actor))
      const pending = new Map<string, Event>()
      let timer: NodeJS.Timeout | undefined

      reply.hijack()
      const { raw } = reply
      // Gone while we looked who asks: nothing would tell us again.
      if (raw.destroyed) return
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      raw.write('retry: 1000\n\n')
      streams += 1

      // A write after the end would be an error that nobody catches, and end the whole server.
      const say = (text: string) => {
        if (!raw.writableEnded) raw.write(text)
      }
      // An end waits behind what a reader who stands still has not taken.
      const leave = () => (raw.writableLength > 0 ? raw.destroy() : raw.end())

      const flush = async () => {
        const gathered = [...pending.values()]
        pending.clear()
        // Those that come meanwhile are gathered for the next time.
        timer = undefined
        const isHidden = await privacy.isHidden(listener, gathered)
        // Who was just removed must hear that their teams changed, or their open page would stay; it says no more.
        const events = gathered.filter(
          (event) => event.type === 'team.changed' || (visible.has(event.teamId) && !isHidden(event)),
        )
        // A reader that does not keep up loses nothing: it asks again when it reconnects.
        if (raw.writableLength > 1_000_000) return raw.destroy()
        for (const { teamId: _, userIds: __, ...message } of events)
          say(`data: ${JSON.stringify(message)}\n\n`)
      }
      const prove = async () => {
        const again: Actor = await deps
          .authenticate(request)
          .catch(() => ({ ...actor, kind: 'anonymous' as const }))
        if (again.kind === 'anonymous') return leave()
        visible = new Set(await deps.access.contentTeamIds(again))
        listener = again
        privacy.forget()
        say(': \n\n')
      }
      const proveQuietly = () => {
        prove().catch(() => raw.destroy())
      }
      const unsubscribe = deps.events.subscribe((event) => {
        if (event.type === 'team.changed') {
          privacy.forget()
          proveQuietly()
        }
        if (!visible.has(event.teamId)) return
        if (event.userIds && !event.userIds.includes(actor.userId ?? '')) return
        pending.set(`${event.type} ${subjectIdOf(event)}`, event)
        timer ??= setTimeout(() => {
          flush().catch(() => raw.destroy())
        }, gatherMs)
      })
      const interval = setInterval(proveQuietly, proveAgainMs)
      raw.on('close', () => {
        streams -= 1
        clearInterval(interval)
        clearTimeout(timer)
        unsubscribe()
      })
    })
  }
}

/**
 * Keeps from a listener what is private within teams that they may see. What was asked is remembered until `forget`, so
 * that a stream of messages about one project is not a stream of questions.
 */
function createPrivacy(access: Pick<Access, 'hiddenFrom'>) {
  /** By id of a project, experiment or datastore: whether it is hidden. */
  let known = new Map<string, boolean>()

  async function isHidden(listener: Actor, events: readonly Event[]): Promise<(event: Event) => boolean> {
    const answers = known
    const unknown = (name: 'projectId' | 'experimentId' | 'datastoreId') => {
      const ids = events.flatMap((event) => (event as Partial<Record<typeof name, string>>)[name] ?? [])
      return [...new Set(ids)].filter((id) => !answers.has(id))
    }
    const learn = (ids: readonly string[], hidden: ReadonlySet<string>) => {
      for (const id of ids) answers.set(id, hidden.has(id))
    }
    const asked = { projectIds: unknown('projectId'), datastoreIds: unknown('datastoreId') }
    if (asked.projectIds.length + asked.datastoreIds.length > 0) {
      const hidden = await access.hiddenFrom(listener, { ...asked, experimentIds: [] })
      learn(asked.projectIds, hidden.projects)
      learn(asked.datastoreIds, hidden.datastores)
    }
    const isInside = (event: Event) => 'projectId' in event && answers.get(event.projectId) === true
    const experimentIds = unknown('experimentId')
    if (experimentIds.length > 0 && events.some(isInside)) {
      const projectIds = events.flatMap((event) => ('projectId' in event ? event.projectId : []))
      const hidden = await access.hiddenFrom(listener, { projectIds, experimentIds, datastoreIds: [] })
      learn(experimentIds, hidden.experiments)
    }
    return (event) => {
      if ('datastoreId' in event) return answers.get(event.datastoreId) === true
      if (!isInside(event)) return false
      return !('experimentId' in event) || answers.get(event.experimentId) !== false
    }
  }

  return { isHidden, forget: () => void (known = new Map()) }
}

/** What an event is about: two about the same in one moment are one. */
function subjectIdOf(event: Event): string {
  if ('experimentId' in event) return event.experimentId
  if ('sweepId' in event) return event.sweepId
  return 'projectId' in event ? event.projectId : event.teamId
}
