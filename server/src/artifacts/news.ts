/** What slices above hear about artifacts. */
import type { Actor } from '../actor.ts'
import type { StoredArtifact, StoredCollection } from './artifact.ts'
import type * as store from './store.ts'

export type ArtifactEvent =
  | 'created'
  | 'linked'
  | 'unlinked'
  | 'alias-added'
  | 'tag-added'
  | 'tag-removed'
  | 'collection-tag-added'
  | 'collection-tag-removed'

export type ArtifactNews = {
  event: ArtifactEvent
  /** Where it happened: for links, the collection of links. */
  collection: StoredCollection
  /** Null for what happens to a collection as a whole. */
  artifact: { id: string; name: string; versionIndex: number | null } | null
  /** Those it is about: added with it, or taken away. */
  aliases: string[]
  tags: string[]
  by: string
}

export type ArtifactNewsListener = {
  /** Inside the transaction in which it happens. */
  onArtifact(trx: store.Db, news: ArtifactNews): Promise<void>
  /** After such a transaction. */
  onCommit(): void
}

export type News = ReturnType<typeof createNews>

/** Passes news on to whoever listens; nobody does until the slice above is there. */
export function createNews() {
  const listeners: ArtifactNewsListener[] = []

  async function tell(
    trx: store.Db,
    actor: Actor,
    news: Omit<ArtifactNews, 'by' | 'aliases' | 'tags'> & { aliases?: string[]; tags?: string[] },
  ): Promise<void> {
    const by = actor.attributedTo?.username ?? actor.username
    for (const listener of listeners) await listener.onArtifact(trx, { aliases: [], tags: [], ...news, by })
  }

  /** What a version has now and had not, and the other way round. What is not committed is told of when it is. */
  async function tellOfChange(trx: store.Db, actor: Actor, before: StoredArtifact, after: StoredArtifact) {
    if (after.state !== 'committed') return
    const { collection, versionIndex } = after
    const told = { collection, artifact: { id: after.id, name: collection.name, versionIndex } }
    const aliases = after.aliases.filter((alias) => !before.aliases.includes(alias))
    const tags = after.tags.filter((tag) => !before.tags.includes(tag))
    const gone = before.tags.filter((tag) => !after.tags.includes(tag))
    if (aliases.length > 0) await tell(trx, actor, { event: 'alias-added', ...told, aliases })
    if (tags.length > 0) await tell(trx, actor, { event: 'tag-added', ...told, tags })
    if (gone.length > 0) await tell(trx, actor, { event: 'tag-removed', ...told, tags: gone })
  }

  return {
    listen: (listener: ArtifactNewsListener) => void listeners.push(listener),
    tell,
    tellOfChange,
    committed(): void {
      for (const listener of listeners) listener.onCommit()
    },
  }
}
