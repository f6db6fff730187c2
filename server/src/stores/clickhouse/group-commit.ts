/**
 * Many callers, one write: what arrives while a write is under way goes together into the next one. A caller that comes
 * when nothing is under way is written at once, so a lone writer waits for nobody.
 */
import { GridError } from '@teamgrid/api'

type Entry<Item> = {
  item: Item
  bytes: number
  resolve: () => void
  reject: (error: unknown) => void
}

export type GroupCommitLimits = {
  /** A group grows no further than this. */
  groupBytesMax: number
  /** What may wait, the group under way included, before callers are told to come back. */
  queueBytesMax: number
}

/**
 * @param commit stores a group; resolves when it is durable. If it rejects, every caller of that group is rejected
 *   with the same error, and the next group is tried as usual.
 * @returns `add`: resolves when the item is stored; throws GridError overloaded when too much waits.
 *   `settled`: resolves when everything added so far is stored or has failed.
 */
export function createGroupCommit<Item>(
  commit: (items: Item[]) => Promise<void>,
  limits: GroupCommitLimits,
): {
  add: (item: Item, bytes: number) => Promise<void>
  settled: () => Promise<void>
} {
  let waiting: Entry<Item>[] = []
  let bytesHeld = 0
  let running = false
  const pending = new Set<Promise<void>>()

  async function work(): Promise<void> {
    if (running) return
    running = true
    while (waiting.length > 0) await commitGroup(takeGroup())
    running = false
  }

  function takeGroup(): Entry<Item>[] {
    let bytes = 0
    let count = 0
    while (count < waiting.length && (count === 0 || bytes + waiting[count]!.bytes <= limits.groupBytesMax))
      bytes += waiting[count++]!.bytes
    const group = waiting.slice(0, count)
    waiting = waiting.slice(count)
    return group
  }

  async function commitGroup(group: Entry<Item>[]): Promise<void> {
    try {
      await commit(group.map((entry) => entry.item))
      for (const entry of group) entry.resolve()
    } catch (error) {
      for (const entry of group) entry.reject(error)
    } finally {
      for (const entry of group) bytesHeld -= entry.bytes
    }
  }

  return {
    add(item, bytes) {
      // One that is too big by itself is let through when nothing else waits, or it could never be stored.
      if (bytesHeld > 0 && bytesHeld + bytes > limits.queueBytesMax)
        throw new GridError('overloaded', 'More is being logged than this server can store right now.', {
          retryAfterSeconds: 2,
        })
      bytesHeld += bytes
      const stored = new Promise<void>((resolve, reject) => waiting.push({ item, bytes, resolve, reject }))
      pending.add(stored)
      const forgetIt = () => pending.delete(stored)
      stored.then(forgetIt, forgetIt)
      void work()
      return stored
    },
    async settled() {
      await Promise.allSettled(pending)
    },
  }
}
