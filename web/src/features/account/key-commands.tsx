import { CommandBlock, CopyButton } from '../../ui/command-block.tsx'

/** A key's secret, the one time it is shown, with what to paste next. */
export function FreshKey({ secret }: { secret: string }) {
  return (
    <div className="flex flex-col gap-4">
      <div className="flex items-center gap-2 rounded-md border border-good/40 bg-good-wash py-1.5 pr-1.5 pl-3">
        <code className="min-w-0 flex-1 font-mono text-[13px] break-all" data-testid="fresh-key">
          {secret}
        </code>
        <CopyButton text={secret} label="Copy the key" />
      </div>
      <p className="text-[13px] text-ink-soft">
        This is the only time the key is shown. The server keeps a fingerprint of it and nothing more.
      </p>
      <CommandBlock
        title="For training scripts that use wandb"
        text={`export WANDB_BASE_URL=${location.origin}\nwandb login --relogin ${secret}`}
      />
      <CommandBlock
        title="For the grid command line"
        text={`grid login --url ${location.origin} --key ${secret}`}
      />
      <CommandBlock
        title="For machines without a terminal"
        text={`WANDB_BASE_URL=${location.origin}\nWANDB_API_KEY=${secret}`}
      />
    </div>
  )
}
