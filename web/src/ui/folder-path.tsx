/** The folders above what is shown, each a way back. @param folder path without slashes at its ends; '' is the top. */
export function FolderPath({ folder, onFolder }: { folder: string; onFolder: (folder: string) => void }) {
  const steps = folder === '' ? [] : folder.split('/')
  return (
    <nav
      aria-label="Folder"
      className="flex flex-wrap items-center gap-1 border-b border-line px-3 py-2 text-[13px]"
    >
      <button type="button" className="text-accent hover:underline" onClick={() => onFolder('')}>
        files
      </button>
      {steps.map((step, i) => (
        <span key={i} className="flex min-w-0 items-center gap-1">
          <span className="text-ink-faint">/</span>
          <button
            type="button"
            className="truncate text-accent hover:underline"
            onClick={() => onFolder(steps.slice(0, i + 1).join('/'))}
          >
            {step}
          </button>
        </span>
      ))}
    </nav>
  )
}
