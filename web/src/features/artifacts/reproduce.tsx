import type { Reproduction } from '@teamgrid/api'
import { type ReactNode, useState } from 'react'
import { formatBytes, plural } from '../../lib/format.ts'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState } from '../../ui/feedback.tsx'
import { ChevronIcon, DownloadIcon } from '../../ui/icons.tsx'
import { Section } from '../../ui/layout.tsx'
import { VersionLink } from './names.tsx'

type SavedFile = { path: string; sizeBytes: number; url: string }
type Preview = (file: SavedFile) => ReactNode

/**
 * How to run an experiment again: the command line does it all, and each piece can be looked at and had alone.
 *
 * @param preview draws the content of a file.
 */
export function Reproduce({ of, preview }: { of: Reproduction; preview: Preview }) {
  const { experiment, git, requirements, code, command, missing, used } = of
  const isNothing = command === null && git === null && requirements === null && code.files.length === 0
  const steps = [
    ...(git?.remote ? [`git clone ${quoted(git.remote)} .`] : []),
    ...(git?.commit ? [`git checkout ${quoted(git.commit)}`] : []),
    ...(git?.patch ? ['git apply diff.patch'] : []),
    ...(requirements ? ['pip install -r requirements.txt'] : []),
    ...(command === null ? [] : [command]),
  ]
  if (isNothing) {
    return (
      <EmptyState
        title="Nothing was saved to reproduce it by"
        says="Run the script from a git repository, or save its source, and the commit, what differed from it, the packages and the command appear here."
      >
        <CommandBlock
          title="In the script"
          text={
            '# the script, and what differs from the commit; or set WANDB_SAVE_CODE=true\nwandb.init(save_code=True)\n# more files\nrun.log_code(".")'
          }
        />
      </EmptyState>
    )
  }
  return (
    <div className="mx-auto flex w-full max-w-4xl flex-col gap-6 p-4">
      <Section title="Reproduce" says="Rebuilds the working folder; it runs nothing">
        <div className="flex flex-col gap-3">
          <CommandBlock
            title="With the command line"
            text={`grid reproduce ${quoted(`${experiment.team}/${experiment.project}/${experiment.slug}`)} --into ${quoted(experiment.slug)}`}
          />
          {steps.length > 0 && <CommandBlock title="Or by hand" text={steps.join('\n')} />}
          {missing.map((sentence) => (
            <p key={sentence} className="text-[13px] text-warn">
              {sentence}
            </p>
          ))}
        </div>
      </Section>
      <Section title="What was saved" flush>
        <ul className="divide-y divide-line text-[13px]">
          {git?.commit != null && (
            <li className="flex min-w-0 flex-wrap items-center gap-x-3 px-4 py-2">
              <code title={git.commit}>{git.commit.slice(0, 12)}</code>
              <span className="min-w-0 truncate text-ink-faint">
                {git.remote === null ? 'a commit without a remote' : `the commit, of ${git.remote}`}
              </span>
            </li>
          )}
          {git?.patch != null && (
            <Row name="diff.patch" says="what differed from the commit" file={git.patch} preview={preview} />
          )}
          {requirements !== null && (
            <Row name="requirements.txt" says="the packages" file={requirements} preview={preview} />
          )}
          {code.files.map((file) => (
            <Row
              key={file.path}
              name={file.path}
              says={code.artifact ?? 'saved source'}
              file={file}
              preview={preview}
            />
          ))}
        </ul>
        {code.files.length > 0 && (
          <p className="border-t border-line px-4 py-2 text-[13px] text-ink-faint">
            {plural(code.files.length, 'source file')}
            {of.python === null ? '' : `, run with Python ${of.python}`}
          </p>
        )}
      </Section>
      {used.length > 0 && (
        <Section title="What it used" flush>
          <ul className="divide-y divide-line text-[13px]">
            {used.map((each) => (
              <li key={each.id} className="flex items-center gap-3 px-4 py-2">
                <span className="min-w-0 truncate">
                  <VersionLink of={each} />
                </span>
                <span className="min-w-0 flex-1 truncate text-ink-faint">{each.type}</span>
                <span className="shrink-0 text-ink-faint">
                  {plural(each.fileCount, 'file')}, {formatBytes(each.sizeBytes)}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
    </div>
  )
}

function Row({
  name,
  says,
  file,
  preview,
}: {
  name: string
  says: string
  file: SavedFile
  preview: Preview
}) {
  const [isOpen, setOpen] = useState(false)
  const mayLook = file.url !== ''
  return (
    <li>
      <div className="flex items-center gap-3 px-4 py-1.5">
        {mayLook ? (
          <button
            type="button"
            aria-expanded={isOpen}
            onClick={() => setOpen(!isOpen)}
            className="-ml-1 flex min-w-0 items-center gap-1 rounded py-0.5 text-left hover:underline"
          >
            <ChevronIcon
              className={`size-3.5 shrink-0 text-ink-faint transition-transform ${isOpen ? 'rotate-90' : ''}`}
            />
            <span className="min-w-0 truncate font-medium">{name}</span>
          </button>
        ) : (
          <span className="min-w-0 truncate font-medium">{name}</span>
        )}
        <span className="min-w-0 flex-1 truncate text-ink-faint">{says}</span>
        <span className="shrink-0 text-ink-faint">{formatBytes(file.sizeBytes)}</span>
        {mayLook && (
          <a
            href={file.url}
            download={file.path.split('/').at(-1)}
            aria-label={`Download ${name}`}
            className="grid size-8 shrink-0 place-items-center rounded text-ink-faint hover:text-ink"
          >
            <DownloadIcon />
          </a>
        )}
      </div>
      {isOpen && <div className="border-t border-line">{preview(file)}</div>}
    </li>
  )
}

/** As a shell reads it: what was logged is a stranger's text. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) && !word.startsWith('-') ? word : `'${word.replaceAll("'", "'\\''")}'`
}
