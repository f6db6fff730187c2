/**
 * The books are written by one step alone, so that no two writers ever wait for each other in different orders: what
 * starts and ends only notes when. The step charges every open stay up to now, moves the credits, and says what has to
 * stop. It may die anywhere and be repeated by anybody: what was charged stands in the same transaction.
 */
import { newId } from '../lib/ids.ts'
import type { Message } from '../mail/message.ts'
import type { Db, UsageDeps } from './deps.ts'
import { type HourOfUse, costOf, periodOf, usageBetween } from './metering.ts'
import * as store from './store.ts'

/** What a stay is stopped for, in words for its owner. */
export type Stop = { attemptId: string; kind: store.Meter['kind']; subjectId: string; reason: string }

/** Half of it on either side of a day's change of clocks is still one step. */
export const tickMs = 60_000
const tickSeconds = tickMs / 1000

export function createTicking({ db, notifications, events, clock, linkOrigin }: UsageDeps) {
  /**
   * Charges everything up to now.
   *
   * @returns what has no credits or budget left for the time until the next step. Asked for again until it has ended.
   */
  async function tick(): Promise<Stop[]> {
    const now = clock.now()
    const { stops, teamIds } = await db.transaction().execute(async (trx) => {
      const meters = await store.lockOpenMeters(trx)
      const charged = await charge(trx, meters, now)
      const live = meters.filter((meter) => meter.endedAt === null)
      return { stops: await judge(trx, live, charged, now), teamIds: [...charged.keys()] }
    })
    notifications.committed()
    for (const teamId of teamIds) events.publish({ type: 'usage.changed', teamId })
    return stops
  }

  /** @returns what each team was charged, teams that were charged nothing included. */
  async function charge(trx: Db, meters: store.Meter[], now: Date): Promise<Map<string, number>> {
    const byTeam = new Map<string, number>()
    const hours: (HourOfUse & { meter: store.Meter })[] = []
    const seen: store.Seen[] = []
    for (const meter of meters) {
      const until = meter.endedAt ?? now
      const parts = usageBetween(meter.startedAt, meter.meteredUntil, until, meter.microcreditsPerHour)
      const cost = parts.reduce((sum, part) => sum + part.microcredits, 0)
      for (const part of parts) hours.push({ ...part, meter })
      byTeam.set(meter.teamId, (byTeam.get(meter.teamId) ?? 0) + cost)
      // A clock that went back charges nothing, and nothing twice.
      const meteredUntil = until > meter.meteredUntil ? until : meter.meteredUntil
      seen.push({
        id: meter.id,
        meteredUntil,
        microcredits: meter.microcredits + cost,
        isSettled: meter.endedAt !== null,
      })
    }
    await store.noteSeen(trx, seen)
    await store.addHours(trx, hours)
    const debits = [...byTeam].flatMap(([teamId, microcredits]) =>
      microcredits > 0 ? [{ transferId: newId(), teamId, microcredits: -microcredits }] : [],
    )
    await store.transfer(trx, { house: 'consumed', reason: 'usage', note: '', by: null, at: now }, debits)
    return byTeam
  }

  async function judge(
    trx: Db,
    live: readonly store.Meter[],
    charged: ReadonlyMap<string, number>,
    now: Date,
  ): Promise<Stop[]> {
    const teamIds = [...charged.keys()]
    const stops = new Map<string, Stop>()
    const stop = (meters: readonly store.Meter[], reason: string) => {
      for (const { attemptId, kind, subjectId } of meters) {
        if (!stops.has(attemptId)) stops.set(attemptId, { attemptId, kind, subjectId, reason })
      }
    }
    const liveOf = Map.groupBy(live, (meter) => meter.teamId)
    for (const spending of await store.findSpending(trx, teamIds)) {
      const meters = liveOf.get(spending.teamId) ?? []
      await judgeBalance(trx, spending, meters, stop)
    }
    for (const budget of await store.listBudgets(trx, teamIds)) {
      const meters = (liveOf.get(budget.teamId) ?? []).filter((meter) => concerns(budget, meter))
      await judgeBudget(trx, budget, meters, now, stop)
    }
    return [...stops.values()]
  }

  async function judgeBalance(
    trx: Db,
    spending: store.Spending,
    meters: readonly store.Meter[],
    stop: (meters: readonly store.Meter[], reason: string) => void,
  ): Promise<void> {
    // Who was never given credits is not held to them.
    if (!spending.wasGranted) return
    const { team, teamId, microcredits } = spending
    const isEmpty = microcredits < costUntilNext(meters) || microcredits <= 0
    const rule = effectiveRule(spending)
    if (isEmpty && rule !== 'warn') {
      const billed = meters.filter((meter) => meter.microcreditsPerHour > 0)
      const ending = rule === 'stop' ? billed : billed.filter((meter) => meter.kind !== 'experiment')
      stop(ending, `${team} has no credits left`)
    }
    const isLow = isEmpty || microcredits <= spending.lowMicrocredits
    if (isEmpty ? spending.toldEmpty : !isLow || spending.toldLow) return
    await store.noteTold(trx, teamId, { toldLow: true, toldEmpty: isEmpty })
    const title = isEmpty ? `${team} has no credits left` : `${team} has few credits left`
    await tell(trx, teamId, isEmpty ? 'error' : 'warn', title, [
      `${credits(microcredits)} credits are left.`,
      isEmpty ? consequence[rule] : 'Ask an admin of the organisation or its billing user for more.',
    ])
  }

  async function judgeBudget(
    trx: Db,
    budget: store.StoredBudget,
    meters: readonly store.Meter[],
    now: Date,
    stop: (meters: readonly store.Meter[], reason: string) => void,
  ): Promise<void> {
    const period = periodOf(budget.period, now)
    const used = await store.usedSince(trx, budget, period.start)
    const whose = wordsOf(budget)
    if (budget.isHard && used + costUntilNext(meters) > budget.microcredits) {
      stop(
        meters.filter((meter) => meter.microcreditsPerHour > 0),
        `The budget of ${whose} is used up`,
      )
    }
    const told = budget.toldPeriod === period.name ? budget.toldPercent : 0
    const percent = Math.floor((used / budget.microcredits) * 100)
    const reached = budget.noticePercents.filter((each) => each <= percent && each > told)
    if (reached.length === 0) return
    const highest = Math.max(...reached)
    await store.noteBudgetTold(trx, budget.id, { period: period.name, percent: highest })
    await tell(
      trx,
      budget.teamId,
      highest >= 100 ? 'error' : 'warn',
      `${highest} % of the budget of ${whose} are used`,
      [
        `${credits(used)} of ${credits(budget.microcredits)} credits are used${budget.period === 'none' ? '' : ` this ${budget.period}`}.`,
        ...(budget.isHard ? ['At the limit its machines are stopped.'] : []),
      ],
    )
  }

  async function tell(
    trx: Db,
    teamId: string,
    level: 'warn' | 'error',
    title: string,
    lines: string[],
  ): Promise<void> {
    const { slug, admins } = await store.findAdmins(trx, teamId)
    const link = `/teams/${slug}/usage`
    const mail: Message = {
      subject: title,
      paragraphs: lines,
      ...(linkOrigin ? { button: { label: 'Look at usage', url: `${linkOrigin}${link}` } } : {}),
    }
    const notice = { teamId, kind: 'budget' as const, level, title, text: lines.join(' '), link, mail }
    await notifications.tell(trx, notice, admins)
  }

  return { tick }
}

/** What these stays will cost until the next step looks at them. */
function costUntilNext(meters: readonly store.Meter[]): number {
  return meters.reduce((sum, meter) => sum + costOf(tickSeconds, meter.microcreditsPerHour), 0)
}

function concerns(budget: store.StoredBudget, meter: store.Meter): boolean {
  if (budget.userId !== null) return meter.userId === budget.userId
  if (budget.projectId !== null) return meter.projectId === budget.projectId
  return true
}

/** `warn` while nobody ever gave the team credits, so that nothing blocks what nobody has asked to be limited. */
export function effectiveRule({ whenEmpty, wasGranted }: Pick<store.Spending, 'whenEmpty' | 'wasGranted'>) {
  return whenEmpty ?? (wasGranted ? 'pause' : 'warn')
}

const consequence = {
  warn: 'Work goes on; ask an admin of the organisation or its billing user for more.',
  pause: 'Sessions are paused and nothing new starts; experiments that run go on.',
  stop: 'Sessions are paused, experiments are stopped, and nothing new starts.',
} as const

export function wordsOf(budget: Pick<store.StoredBudget, 'team' | 'username' | 'project'>): string {
  if (budget.username !== null) return `${budget.username} in ${budget.team}`
  return budget.project === null ? budget.team : `project ${budget.project}`
}

/** Microcredits as people read them. */
export function credits(microcredits: number): string {
  return (microcredits / 1_000_000).toLocaleString('en', { maximumFractionDigits: 2 })
}
