/** The client's filters on sweeps, `project.sweeps(filters={"state": "RUNNING"})`, as conditions on our columns. */
import { GridError, type SweepState } from '@teamgrid/api'
import type { Condition } from '../experiments/types.ts'
import { conditionIn } from './run-filters.ts'

/** Their names of a sweep's fields, in the spellings of Python and of the web. */
const columns: Record<string, string> = {
  name: 'slug',
  displayName: 'name',
  display_name: 'name',
  description: 'description',
  state: 'state',
  method: 'method',
  user: 'creator',
  username: 'creator',
  'user.username': 'creator',
  createdAt: 'created_at',
  created_at: 'created_at',
  updatedAt: 'updated_at',
  updated_at: 'updated_at',
  heartbeatAt: 'heartbeat_at',
  heartbeat_at: 'heartbeat_at',
}

/** Ours, where theirs is not the same word in capitals. */
const states: Record<string, SweepState> = { canceled: 'cancelled' }

/**
 * @param text JSON in the dialect of run-filters.ts; null, empty and `{}` mean all sweeps.
 * @returns undefined for all.
 * @throws GridError invalid with the part that is not understood.
 */
export function sweepCondition(text: string | null | undefined): Condition | undefined {
  const condition = conditionIn(text, (key) => {
    if (Object.hasOwn(columns, key)) return [columns[key]!]
    throw new GridError('invalid', `Sweeps have no "${key.slice(0, 100)}" to filter by`, {
      hint: `There are ${Object.keys(columns).join(', ')}.`,
    })
  })
  return condition && inOurStates(condition)
}

function inOurStates(condition: Condition): Condition {
  switch (condition.op) {
    case 'and':
    case 'or':
      return { ...condition, conditions: condition.conditions.map(inOurStates) }
    case 'not':
      return { ...condition, condition: inOurStates(condition.condition) }
    default: {
      if (condition.column !== 'state' || !('value' in condition)) return condition
      const word = String(condition.value).toLowerCase()
      return { ...condition, value: states[word] ?? word }
    }
  }
}
