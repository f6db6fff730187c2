import { freemem, hostname, loadavg, totalmem } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { Experiments } from '../experiments/service.ts'
import { randomText } from '../lib/ids.ts'
import { operator } from '../teams/actors.ts'
import type { Teams } from '../teams/service.ts'
import { type Epoch, trainSpirals } from './spirals.ts'

export type DemoPerson = { username: string; role: string; email: string; password: string }

const team = 'example-team'
const project = 'spirals'
const people = [
  { username: 'ada', name: 'Ada', role: 'admin' },
  { username: 'bob', name: 'Bob', role: 'member' },
  { username: 'cy', name: 'Cy', role: 'member' },
  { username: 'vi', name: 'Vi', role: 'viewer' },
] as const

/** Finished ones give the page something to compare; two more go on while somebody watches. */
const finishedRecipes = [
  { by: 'ada', learningRate: 0.03, hidden: 16, batchSize: 16, epochs: 300 },
  { by: 'bob', learningRate: 0.01, hidden: 16, batchSize: 32, epochs: 300 },
  { by: 'bob', learningRate: 0.003, hidden: 32, batchSize: 32, epochs: 240 },
  { by: 'cy', learningRate: 0.1, hidden: 8, batchSize: 8, epochs: 180 },
  { by: 'cy', learningRate: 0.01, hidden: 64, batchSize: 16, epochs: 300 },
] as const
const liveRecipes = [
  { by: 'ada', learningRate: 0.02, hidden: 24, batchSize: 16 },
  { by: 'bob', learningRate: 0.005, hidden: 48, batchSize: 32 },
] as const
const liveEpochs = 3_600
const epochMs = 1_000

/**
 * A team to look at: an admin, two members and a viewer, and experiments that really train (a small network, see
 * `spirals.ts`), some of them while one watches.
 *
 * @returns the people with fresh passwords, and an API key of the admin's.
 */
export async function startDemo(deps: {
  teams: Teams
  experiments: Experiments
  origin: string
  log: (text: string, error: unknown) => void
}): Promise<{ people: DemoPerson[]; team: string; apiKey: string; stop: () => Promise<void> }> {
  const { teams } = deps
  const chief = operator(deps.origin)
  const found: DemoPerson[] = []
  for (const { username, name, role } of people) found.push({ ...(await ensurePerson(username, name)), role })
  await ensureTeam()
  const { key, actor } = await actors('ada')

  const known = await deps.experiments
    .query(actor, { team, project, filters: [], sort: [], columns: [], offset: 0, limit: 1 })
    .catch(() => ({ total: 0 }))
  if (known.total === 0) {
    for (const [index, recipe] of finishedRecipes.entries()) await train(recipe, index, recipe.epochs, 0)
  }
  const controller = new AbortController()
  const live = liveRecipes.map((recipe, index) =>
    train(recipe, 100 + index, liveEpochs, epochMs, controller.signal).catch((error: unknown) =>
      deps.log('The demonstration stopped', error),
    ),
  )
  return {
    people: found,
    team,
    apiKey: key,
    async stop() {
      controller.abort()
      await Promise.all(live)
    },
  }

  async function ensurePerson(username: string, name: string) {
    const email = `${username}@example.org`
    const password = randomText(12)
    try {
      await teams.createUser(chief, { username, name, email, password, admin: username === 'ada' })
    } catch (error) {
      if (!(error instanceof GridError) || error.code !== 'conflict') throw error
      await teams.changeUser(chief, username, { password })
    }
    return { username, email, password }
  }

  async function ensureTeam(): Promise<void> {
    if (!(await teams.findTeam(team))) {
      await teams.createTeam(chief, { slug: team, name: 'Example team', admin: 'ada' })
    }
    const members = new Set((await teams.members(chief, team)).map((member) => member.username))
    for (const { username, role } of people) {
      if (!members.has(username)) await teams.addMember(chief, team, username, role)
    }
  }

  /** Acts through a key, as a script would; the key of the last start is replaced. */
  async function actors(username: string): Promise<{ key: string; actor: Actor }> {
    for (const old of await teams.keysOf(chief, username)) {
      if (old.name === 'demo') await teams.revokeKeyOf(chief, username, old.id)
    }
    const { secret } = await teams.createKeyOf(chief, username, 'demo')
    return { key: secret, actor: await teams.actors.ofKey(secret, { origin: deps.origin, client: 'wandb' }) }
  }

  async function train(
    recipe: (typeof liveRecipes)[number] | (typeof finishedRecipes)[number],
    seed: number,
    epochs: number,
    pauseMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const who = recipe.by === 'ada' ? actor : (await actors(recipe.by)).actor
    const slug = randomText(8)
    const { by: _, ...settings } = recipe
    await deps.experiments.upsert(who, {
      team,
      project,
      slug,
      group: pauseMs === 0 ? 'search' : undefined,
      tags: ['demo'],
      notes: 'A small network learns to tell two spirals apart.',
      host: hostname(),
      program: 'spirals.ts',
      config: Object.fromEntries(
        Object.entries({ ...settings, epochs, seed, optimizer: 'sgd' }).map(([key, value]) => [
          key,
          { value },
        ]),
      ),
    })
    const ref = { team, project, slug }
    const began = Date.now()
    const training = trainSpirals({ seed, ...settings })
    let lines: string[] = []
    let text: { timeMs: number; level: 'info'; label: string; text: string }[] = []
    let sent = 0
    let summary: Record<string, unknown> = {}
    for (let epoch = 0; epoch < epochs; epoch += 1) {
      const measured = training.next().value
      const now = Date.now()
      const row = rowOf(measured, epoch, settings.learningRate, (now - began) / 1000, now / 1000)
      summary = row
      lines.push(JSON.stringify(row))
      const said = `epoch ${epoch}  loss ${measured.loss.toFixed(4)}  val ${measured.validationAccuracy.toFixed(3)}`
      text.push({ timeMs: now, level: 'info', label: '', text: said })
      if (pauseMs === 0 && lines.length < 50 && epoch + 1 < epochs) continue
      const { stopRequested } = await deps.experiments.append(who, ref, {
        history: { offset: sent, lines },
        console: { offset: sent, lines: text },
        summary,
        ...(epoch % 15 === 0 && pauseMs > 0
          ? { system: { offset: epoch / 15, lines: [systemRow(now, began)] } }
          : {}),
      })
      sent += lines.length
      lines = []
      text = []
      if (stopRequested) {
        await deps.experiments.append(who, ref, { complete: { exitCode: 255 } })
        return
      }
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal?.aborted) break
    }
    await deps.experiments.append(who, ref, { complete: { exitCode: 0 } })
  }
}

function rowOf(epoch: Epoch, step: number, learningRate: number, runtime: number, timestamp: number) {
  return {
    _step: step,
    _runtime: runtime,
    _timestamp: timestamp,
    epoch: step,
    'train/loss': epoch.loss,
    'train/accuracy': epoch.accuracy,
    'val/loss': epoch.validationLoss,
    'val/accuracy': epoch.validationAccuracy,
    'optimizer/lr': learningRate,
    'optimizer/gradient_norm': epoch.gradientNorm,
  }
}

function systemRow(now: number, began: number): string {
  return JSON.stringify({
    _timestamp: now / 1000,
    _runtime: (now - began) / 1000,
    _wandb: true,
    'system.cpu': (loadavg()[0] ?? 0) * 100,
    'system.memory_percent': (1 - freemem() / totalmem()) * 100,
    'system.proc.memory.rssMB': process.memoryUsage.rss() / 1e6,
  })
}
