import type { Reproduction } from '@teamgrid/api'
import { formatBytes, plural } from '../../lib/format.ts'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState } from '../../ui/feedback.tsx'
import { DownloadIcon } from '../../ui/icons.tsx'
import { Section } from '../../ui/layout.tsx'

/** How to run an experiment again: the command line does it all, and each piece can be had alone. */
export function Reproduce({ of }: { of: Reproduction }) {
  const { experiment, git, requirements, code, command, missing } = of
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
            'wandb.init(settings=wandb.Settings(code_dir="."))\n# or, for chosen files\nrun.log_code(".")'
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
          {git?.patch != null && (
            <Row name="diff.patch" says="what differed from the commit" file={git.patch} />
          )}
          {requirements !== null && <Row name="requirements.txt" says="the packages" file={requirements} />}
          {code.files.map((file) => (
            <Row key={file.path} name={file.path} says={code.artifact ?? 'saved source'} file={file} />
          ))}
          {git?.commit != null && (
            <li className="flex items-center gap-3 px-4 py-2">
              <span className="font-mono">{git.commit.slice(0, 12)}</span>
              <span className="truncate text-ink-faint">{git.remote ?? 'a commit without a remote'}</span>
            </li>
          )}
        </ul>
        {code.files.length > 0 && (
          <p className="border-t border-line px-4 py-2 text-[13px] text-ink-faint">
            {plural(code.files.length, 'source file')}
            {of.python === null ? '' : `, run with Python ${of.python}`}
          </p>
        )}
      </Section>
    </div>
  )
}

function Row({
  name,
  says,
  file,
}: {
  name: string
  says: string
  file: { path: string; sizeBytes: number; url: string }
}) {
  return (
    <li className="flex items-center gap-3 px-4 py-1.5">
      <span className="min-w-0 truncate font-medium">{name}</span>
      <span className="min-w-0 flex-1 truncate text-ink-faint">{says}</span>
      <span className="shrink-0 text-ink-faint">{formatBytes(file.sizeBytes)}</span>
      {file.url !== '' && (
        <a
          href={file.url}
          download={file.path.split('/').at(-1)}
          aria-label={`Download ${name}`}
          className="grid size-8 shrink-0 place-items-center rounded text-ink-faint hover:text-ink"
        >
          <DownloadIcon />
        </a>
      )}
    </li>
  )
}

/** As a shell reads it: what was logged is a stranger's text. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) && !word.startsWith('-') ? word : `'${word.replaceAll("'", "'\\''")}'`
}
