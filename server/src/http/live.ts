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

      const flush = () => {
        timer = undefined
        // Who was just removed must hear that their teams changed, or their open page would stay; it says no more.
        const events = [...pending.values()].filter(
          (event) => event.type === 'team.changed' || visible.has(event.teamId),
        )
        pending.clear()
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
        say(': \n\n')
      }
      const proveQuietly = () => {
        prove().catch(() => raw.destroy())
      }
      const unsubscribe = deps.events.subscribe((event) => {
        if (event.type === 'team.changed') proveQuietly()
        if (!visible.has(event.teamId)) return
        if (event.userIds && !event.userIds.includes(actor.userId ?? '')) return
        pending.set(`${event.type} ${subjectIdOf(event)}`, event)
        timer ??= setTimeout(flush, gatherMs)
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

/** What an event is about: two about the same in one moment are one. */
function subjectIdOf(event: Event): string {
  if ('experimentId' in event) return event.experimentId
  if ('sweepId' in event) return event.sweepId
  return 'projectId' in event ? event.projectId : event.teamId
}
