import { connect } from 'node:net'
import { once } from 'node:events'
import { fastify } from 'fastify'
import { expect, test, vi } from 'vitest'
import { createEvents } from '../events.ts'
import { anonymous } from '../teams/actors.ts'
import { liveEdge } from './live.ts'

test('a reader that stands still and is turned away cannot take the server down', async () => {
  const uncaught = vi.fn()
  process.on('uncaughtException', uncaught)
  const events = createEvents()
  let isKnown = true
  let asked = 0
  const somebody = { ...anonymous('http://teamgrid.test'), kind: 'person' as const }
  const app = fastify()
  await app.register(
    liveEdge({
      events,
      access: {
        contentTeamIds: async () => ['team'],
        hiddenFrom: async () => ({ projects: new Set(), experiments: new Set(), datastores: new Set() }),
      } as never,
      authenticate: async () => {
        asked += 1
        return isKnown ? somebody : anonymous('http://teamgrid.test')
      },
    }),
  )
  await app.listen({ host: '127.0.0.1', port: 0 })
  const reader = connect(Number(new URL(app.listeningOrigin).port), '127.0.0.1')
  reader.on('error', () => {})
  reader.write('GET /api/live HTTP/1.1\r\nhost: teamgrid.test\r\n\r\n')
  await once(reader, 'readable')

  // More than the network takes in before somebody reads.
  const projectId = 'x'.repeat(1000)
  for (let index = 0; index < 20_000; index++)
    events.publish({ type: 'experiment.logged', teamId: 'team', projectId, experimentId: `${index}` })
  await new Promise((resolve) => setTimeout(resolve, 400))
  isKnown = false
  events.publish({ type: 'team.changed', teamId: 'team' })
  await vi.waitFor(() => expect(asked).toBe(2))
  await new Promise(setImmediate)
  // Known again, as after a moment in which the database was away.
  isKnown = true
  events.publish({ type: 'team.changed', teamId: 'team' })
  await new Promise((resolve) => setTimeout(resolve, 400))

  expect(uncaught).not.toHaveBeenCalled()
  process.off('uncaughtException', uncaught)
  reader.destroy()
  await app.close()
})
