/**
 * Alerts: what scripts report, how experiments end and what rules see reaches people in the app, by mail and by hooks.
 * Ends are noted with the end and looked at after the commit, so none is forgotten; lines are looked at as they come.
 */
import type { Filter } from '@teamgrid/api'
import type { Access } from '../access.ts'
import type { DeedListener } from '../activity.ts'
import type { Events } from '../events.ts'
import type { Experiments } from '../experiments/service.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Outbound } from '../lib/outbound.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { Teams } from '../teams/service.ts'
import { createArtifactRules } from './artifact-rules.ts'
import { createChannels } from './channels.ts'
import type { Finding } from './condition.ts'
import { createDelivering } from './delivering.ts'
import { createEnds } from './ends.ts'
import { createFiring } from './firing.ts'
import { createNotifications } from './notifications.ts'
import { createRules } from './rules.ts'
import { mailOfDeed, wordsOfAct, wordsOfFinding, wordsOfSilence } from './sentences.ts'
import { type Db, listRulesOfKind, type StoredRule } from './store.ts'
import { createWatch } from './watch.ts'

export type { Notice } from './notifications.ts'
export type Alerts = ReturnType<typeof createAlerts>

export type AlertsDeps = {
  db: Db
  access: Access
  teams: Pick<Teams, 'findTeam' | 'findProjectGuard'>
  experiments: Pick<Experiments, 'onNews' | 'watching'>
  mailer: Mailer
  sealed: Sealed
  outbound: Outbound
  events: Events
  /** Where links in mails lead; empty when the server does not know its address. */
  linkOrigin: string
  clock: Clock
  log: (text: string, error: unknown) => void
}

/** How many silent experiments one rule takes in one step. */
const silentMax = 200

export function createAlerts(deps: AlertsDeps) {
  const { db, clock, experiments } = deps
  const { watching } = experiments
  const fits = (experiment: StoredExperiment, filters: readonly Filter[]) =>
    watching.fits(experiment, filters)
  const parts = { ...deps, fits, wake }
  const notifications = createNotifications(deps)
  const firing = createFiring({ ...parts, notifications })
  const rules = createRules({ ...parts, notifications, firing })
  const channels = createChannels({ ...parts, rules, firing })
  const delivering = createDelivering({ ...deps, rules })
  const ends = createEnds({ ...deps, watching, rulesOf: rules.enabledRules, firing })
  const watch = createWatch({
    clock,
    rulesOf: rules.enabledRules,
    newestValues: watching.newestValues,
    speak: speakOfMetric,
  })

  experiments.onNews({
    onEnd: (trx, experiment) => ends.note(trx, experiment),
    async onLines(experiment, lines) {
      // What a rule cannot do must not cost the script its lines.
      await watch
        .see(experiment, lines)
        .catch((error: unknown) => deps.log('A rule on a metric failed', error))
    },
    async onAlert(trx, experiment, { id, title, text, level }) {
      const alert = { id, title, text, level, details: { event: 'script' } }
      const told = new Set<string>()
      for (const rule of await rules.enabledRules(experiment.teamId)) {
        if (rule.condition.kind !== 'script' || !rule.condition.levels.includes(level)) continue
        if (!concerns(rule, experiment)) continue
        const whole = (await watching.load(experiment.id)) ?? experiment
        if (!fits(whole, rule.filters)) continue
        if (!(await firing.mayFire(trx, rule, experiment.id, title))) continue
        const said = { ...alert, title: rule.title || title, text: rule.message || text }
        for (const userId of await firing.route(trx, rule, experiment, said)) told.add(userId)
      }
      if (!told.has(experiment.createdBy.id)) await firing.tellOwner(trx, 'script', experiment, alert)
    },
    async onAct(trx, experiment, act) {
      const alert = { id: newId(), ...wordsOfAct(experiment, act), level: 'info' as const }
      await firing.tellOwner(trx, 'act', experiment, { ...alert, details: { event: 'act', ...act } })
    },
    onCommit() {
      notifications.committed()
      wake()
    },
  })

  async function speakOfMetric(
    rule: StoredRule,
    { id }: StoredExperiment,
    finding: Finding,
    step: number,
  ): Promise<void> {
    const experiment = await watching.load(id)
    const { condition } = rule
    if (!experiment || !('metric' in condition)) return
    const details = {
      event: condition.kind,
      metric: condition.metric,
      value: shownNumber(finding.value),
      reference: finding.reference === null ? null : shownNumber(finding.reference),
      step,
    }
    const words = wordsOfFinding(condition, finding)
    await db
      .transaction()
      .execute((trx) =>
        firing.fire(trx, rule, experiment, { ...words, text: `${words.text} Step ${step}.` }, details),
      )
    notifications.committed()
    wake()
  }

  /** Experiments that give no sign of life, for the rules that want to know. */
  async function lookForSilence(): Promise<void> {
    for (const rule of await listRulesOfKind(db, 'silent')) {
      const { condition } = rule
      if (condition.kind !== 'silent') continue
      const before = new Date(clock.now().getTime() - condition.seconds * 1000)
      const silent = await watching.silentFor(rule, before, silentMax)
      for (const { id, name } of silent) {
        const experiment = await watching.load(id)
        if (!experiment) continue
        const words = wordsOfSilence(name, condition.seconds)
        await db
          .transaction()
          .execute((trx) => firing.fire(trx, rule, experiment, words, { event: 'silent' }))
      }
      notifications.committed()
    }
  }

  let forgottenAt = 0
  /** One step of the loop: ends, silence, and what waits to be sent. @returns how many messages went to hooks. */
  async function step(): Promise<number> {
    await ends.step()
    await lookForSilence()
    notifications.committed()
    const sent = await delivering.step()
    if (clock.now().getTime() - forgottenAt > 3_600_000) {
      forgottenAt = clock.now().getTime()
      await delivering.forgetOld()
    }
    return sent
  }

  let isWanted = false
  let waking: Promise<void> | undefined
  /** Looks soon at what was just written; forgetting it delays an alert by a step of the loop. */
  function wake(): void {
    isWanted = true
    waking ??= (async () => {
      while (isWanted) {
        isWanted = false
        await ends.step()
        notifications.committed()
        await delivering.step()
      }
    })()
      .catch((error: unknown) => deps.log('Sending alerts failed', error))
      .finally(() => (waking = undefined))
  }

  /** Tells owners what others did to what is theirs, in the words of the slice that did it. */
  const deeds: DeedListener = {
    async onDeed(trx, { teamId, ownerId, title, text, link, hiddenFromAllBut }) {
      const team = await trx.selectFrom('teams').select('slug').where('id', '=', teamId).executeTakeFirst()
      const mail = mailOfDeed({ team: team?.slug ?? '', title, text, url: link && deps.linkOrigin + link })
      const notice = { teamId, kind: 'act' as const, level: 'info' as const, title, text, link, mail }
      await notifications.tell(trx, { ...notice, ...(hiddenFromAllBut ? { hiddenFromAllBut } : {}) }, [
        ownerId,
      ])
    },
    onCommit() {
      notifications.committed()
      wake()
    },
  }

  /** What rules on artifacts hear. */
  const artifactNews = createArtifactRules({
    ...deps,
    rulesOf: rules.enabledRules,
    firing,
    notifications,
    wake,
  })

  return {
    deeds,
    artifactNews,
    rules,
    channels,
    notifications,
    deliveries: delivering.list,
    step,
    /** Waits for what `wake` began. */
    async settled() {
      while (waking) await waking
    },
  }
}

export function concerns(rule: StoredRule, experiment: StoredExperiment): boolean {
  return rule.projectId === null || rule.projectId === experiment.projectId
}

/** JSON has no NaN. */
function shownNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}
