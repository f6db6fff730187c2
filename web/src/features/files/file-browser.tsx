import type { FileInfo } from '@teamgrid/api'
import { formatBytes, plural } from '../../lib/format.ts'
import { FolderPath } from '../../ui/folder-path.tsx'
import { DownloadIcon, FileIcon, FolderIcon } from '../../ui/icons.tsx'
import { Ago } from '../../ui/time.tsx'
import { folderOf } from './folders.ts'
import { FilePreview } from './preview.tsx'

/**
 * Files in folders with a preview beside. The open folder and file stand in the address.
 *
 * @param folder path without slashes at its ends; '' is the top.
 */
export function FileBrowser({
  files,
  folder,
  open,
  onFolder,
  onOpen,
  downloadRefused,
}: {
  files: readonly FileInfo[]
  folder: string
  open: string | undefined
  onFolder: (folder: string) => void
  onOpen: (path: string | undefined) => void
  downloadRefused: string | undefined
}) {
  const { folders, here } = folderOf(files, folder)
  const file = files.find((each) => each.path === open)
  return (
    <div className="grid grid-cols-1 items-start gap-3 p-3 lg:grid-cols-[minmax(18rem,26rem)_1fr]">
      <div className="min-w-0 rounded-lg border border-line bg-surface">
        <FolderPath folder={folder} onFolder={onFolder} />
        <ul className="max-h-[70vh] divide-y divide-line overflow-auto text-[13px]">
          {folders.map((each) => (
            <li key={each.name}>
              <button
                type="button"
                onClick={() => onFolder(folder === '' ? each.name : `${folder}/${each.name}`)}
                className="flex w-full items-center gap-2 px-3 py-1.5 text-left hover:bg-hover"
              >
                <FolderIcon className="size-4 text-accent" />
                <span className="min-w-0 flex-1 truncate font-medium">{each.name}</span>
                <span className="text-ink-faint">
                  {plural(each.files, 'file')}, {formatBytes(each.sizeBytes)}
                </span>
              </button>
            </li>
          ))}
          {here.map((each) => (
            <li
              key={each.path}
              className={`flex items-center hover:bg-hover ${each.path === open ? 'bg-accent-wash' : ''}`}
            >
              <button
                type="button"
                aria-current={each.path === open || undefined}
                onClick={() => onOpen(each.path)}
                className="flex min-w-0 flex-1 items-center gap-2 py-1.5 pl-3 text-left"
              >
                <FileIcon className="size-4 text-ink-faint" />
                <span className="min-w-0 flex-1 truncate" title={each.path}>
                  {each.path.slice(folder === '' ? 0 : folder.length + 1)}
                </span>
                <span className="text-ink-faint">{formatBytes(each.sizeBytes)}</span>
              </button>
              <Download file={each} refused={downloadRefused} />
            </li>
          ))}
        </ul>
      </div>
      {file !== undefined && (
        <section
          aria-label={`Preview of ${file.path}`}
          className="min-w-0 overflow-hidden rounded-lg border border-line bg-surface"
        >
          <header className="flex items-center gap-2 border-b border-line px-3 py-1.5 text-[13px]">
            <h2 className="min-w-0 truncate font-medium">{file.path}</h2>
            <span className="shrink-0 text-ink-faint">{formatBytes(file.sizeBytes)}</span>
            <span className="ml-auto shrink-0 text-ink-faint">
              <Ago at={file.updatedAt} />
            </span>
            <Download file={file} refused={downloadRefused} />
          </header>
          {downloadRefused === undefined ? (
            <FilePreview file={file} />
          ) : (
            <p className="p-4 text-ink-faint">{downloadRefused}</p>
          )}
        </section>
      )}
    </div>
  )
}

function Download({ file, refused }: { file: FileInfo; refused: string | undefined }) {
  const look = 'grid size-8 shrink-0 place-items-center rounded text-ink-faint'
  if (refused !== undefined) {
    return (
      <span className={`${look} opacity-50`} title={refused} aria-label={refused} role="img">
        <DownloadIcon />
      </span>
    )
  }
  return (
    <a
      href={file.url}
      download={file.path.split('/').at(-1)}
      aria-label={`Download ${file.path}`}
      title="Download"
      className={`${look} hover:text-ink`}
    >
      <DownloadIcon />
    </a>
  )
}
