import type { DatastoreEntry } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { formatBytes, plural } from '../../lib/format.ts'
import { CopyButton } from '../../ui/command-block.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { FolderPath } from '../../ui/folder-path.tsx'
import { DownloadIcon, FileIcon, FolderIcon, LinkIcon } from '../../ui/icons.tsx'
import { fileQuery, folderQuery } from './queries.ts'

type At = { datastoreId: string; version: number }
export type OpenFile = DatastoreEntry & { path: string; mediaType: string; url: string; downloadUrl: string }

/**
 * The files of a version, a folder at a time, with a preview beside.
 *
 * @param folder path without slashes at its ends; '' is the top.
 * @param preview draws an opened file; previews belong to another feature.
 */
export function VersionBrowser({
  at,
  folder,
  open,
  onFolder,
  onOpen,
  preview,
}: {
  at: At
  folder: string
  open: string | undefined
  onFolder: (folder: string) => void
  onOpen: (path: string) => void
  preview: (file: OpenFile) => ReactNode
}) {
  const entries = useQuery(folderQuery({ ...at, folder }))
  const inside = (name: string) => (folder === '' ? name : `${folder}/${name}`)
  const isCut = entries.data !== undefined && entries.data.nextCursor !== null
  return (
    <div className="grid grid-cols-1 items-start gap-3 lg:grid-cols-[minmax(18rem,26rem)_1fr]">
      <div className="min-w-0 rounded-lg border border-line bg-surface">
        <FolderPath folder={folder} onFolder={onFolder} />
        {entries.isError && <Problem error={entries.error} retry={() => void entries.refetch()} />}
        {entries.isPending && <SkeletonRows />}
        {entries.data?.items.length === 0 && <p className="p-4 text-ink-faint">This folder is empty.</p>}
        <ul className="max-h-[70vh] divide-y divide-line overflow-auto text-[13px]">
          {entries.data?.items.map((entry) => {
            const path = inside(entry.name)
            return (
              <li key={entry.name} className={path === open ? 'bg-accent-wash' : ''}>
                <button
                  type="button"
                  aria-current={path === open || undefined}
                  disabled={entry.kind === 'link'}
                  onClick={() => (entry.kind === 'folder' ? onFolder(path) : onOpen(path))}
                  className="flex w-full items-center gap-2 px-3 py-1.5 text-left enabled:hover:bg-hover"
                >
                  <EntryIcon kind={entry.kind} />
                  <span className="min-w-0 flex-1 truncate" title={path}>
                    {entry.name}
                    {entry.kind === 'link' && <span className="text-ink-faint"> → {entry.linkTarget}</span>}
                  </span>
                  <span className="shrink-0 text-ink-faint">{sizeOf(entry)}</span>
                </button>
              </li>
            )
          })}
        </ul>
        {isCut && (
          <p className="border-t border-line px-3 py-2 text-[13px] text-ink-faint">
            The first {entries.data.items.length} are shown; <code>grid datastore ls</code> lists all.
          </p>
        )}
      </div>
      {open !== undefined && <OpenedFile at={at} path={open} preview={preview} />}
    </div>
  )
}

function EntryIcon({ kind }: { kind: DatastoreEntry['kind'] }) {
  if (kind === 'folder') return <FolderIcon className="size-4 shrink-0 text-accent" />
  if (kind === 'link') return <LinkIcon className="size-4 shrink-0 text-ink-faint" />
  return <FileIcon className="size-4 shrink-0 text-ink-faint" />
}

function sizeOf(entry: DatastoreEntry): string {
  if (entry.kind === 'link') return 'link'
  const size = formatBytes(entry.sizeBytes)
  return entry.kind === 'folder' ? `${plural(entry.files, 'file')}, ${size}` : size
}

function OpenedFile({ at, path, preview }: { at: At; path: string; preview: (file: OpenFile) => ReactNode }) {
  const file = useQuery(fileQuery({ ...at, path }))
  if (file.isError) return <Problem error={file.error} retry={() => void file.refetch()} />
  if (file.data === undefined) return <SkeletonRows />
  const { sha256Hex, sizeBytes, downloadUrl } = file.data
  return (
    <section
      aria-label={`Preview of ${path}`}
      className="min-w-0 overflow-hidden rounded-lg border border-line bg-surface"
    >
      <header className="flex flex-wrap items-center gap-x-2 border-b border-line px-3 py-1.5 text-[13px]">
        <h3 className="min-w-0 truncate font-medium">{path}</h3>
        <span className="shrink-0 text-ink-faint">{formatBytes(sizeBytes)}</span>
        {downloadUrl !== '' && (
          <a
            href={downloadUrl}
            download={path.split('/').at(-1)}
            aria-label={`Download ${path}`}
            title="Download"
            className="ml-auto grid size-8 shrink-0 place-items-center rounded text-ink-faint hover:text-ink"
          >
            <DownloadIcon />
          </a>
        )}
      </header>
      {preview({ ...file.data, path })}
      <footer className="flex items-center gap-1 border-t border-line px-3 py-1 text-xs text-ink-faint">
        <span className="shrink-0">SHA-256</span>
        <code className="min-w-0 truncate">{sha256Hex}</code>
        <CopyButton text={sha256Hex ?? ''} label="Copy the SHA-256" />
      </footer>
    </section>
  )
}
