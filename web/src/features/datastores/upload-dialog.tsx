import { DatastoreName, datastoreNameOf } from '@teamgrid/api'
import { useQueryClient } from '@tanstack/react-query'
import { type DragEvent, useRef, useState } from 'react'
import { api } from '../../lib/client.ts'
import { formatBytes, formatDuration, plural } from '../../lib/format.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Input } from '../../ui/field.tsx'
import {
  importAddress,
  type Picked,
  pickedFromDrop,
  pickedFromInput,
  type Progress,
  uploadPicked,
} from './upload.ts'

const words: Record<Progress['doing'], string> = {
  reading: 'Reading',
  sending: 'Sending',
  finishing: 'Making the version',
  waiting: 'Waiting for the server',
  fetching: 'The server fetches',
  unpacking: 'The server unpacks',
  storing: 'The server stores',
}

/** Before that a rate would be a guess. */
const rateAfterMs = 1000

/** Files or a folder, dropped or chosen, become a new version. @param name of the datastore; undefined for a new one. */
export function UploadDialog({
  team,
  name: given,
  open,
  onClose,
  onDone,
}: {
  team: string
  name?: string
  open: boolean
  onClose: () => void
  onDone: (name: string, version: number) => void
}) {
  const queries = useQueryClient()
  const [picked, setPicked] = useState<Picked[]>([])
  const [typed, setTyped] = useState('')
  const [address, setAddress] = useState('')
  const [progress, setProgress] = useState<Progress>()
  const [error, setError] = useState<string>()
  const [over, setOver] = useState(false)
  const stop = useRef<AbortController>(undefined)
  const [rate, setRate] = useState(0)
  const begun = useRef<Progress & { at: number }>(undefined)
  const name = given ?? typed
  const problem = name === '' ? undefined : DatastoreName.safeParse(name).error?.issues[0]?.message
  const size = picked.reduce((sum, { file }) => sum + file.size, 0)

  function note(now: Progress): void {
    const at = Date.now()
    if (begun.current?.doing !== now.doing) begun.current = { ...now, at }
    const elapsedMs = at - begun.current.at
    setProgress(now)
    setRate(elapsedMs < rateAfterMs ? 0 : ((now.bytes - begun.current.bytes) * 1000) / elapsedMs)
  }

  function pick(found: Picked[], source: string): void {
    setPicked(found)
    setAddress('')
    setError(found.length === 0 ? 'There is no file in it.' : undefined)
    if (typed === '') setTyped(datastoreNameOf(source))
  }

  async function drop(event: DragEvent): Promise<void> {
    event.preventDefault()
    setOver(false)
    const first = event.dataTransfer.items[0]?.webkitGetAsEntry()?.name ?? ''
    try {
      pick(await pickedFromDrop(event.dataTransfer.items), first)
    } catch (problem_) {
      setError(`It could not be read: ${(problem_ as Error).message}`)
    }
  }

  async function start(): Promise<void> {
    stop.current = new AbortController()
    setError(undefined)
    setProgress({ doing: 'reading', bytes: 0, ofBytes: size })
    try {
      const { signal } = stop.current
      const done =
        address === ''
          ? await uploadPicked({ team, name }, picked, note, signal)
          : await importAddress({ team, name, source: address }, note, signal)
      await queries.invalidateQueries({ queryKey: api.datastores.key() })
      setPicked([])
      setAddress('')
      onDone(name, done.version)
    } catch (problem_) {
      if (!stop.current.signal.aborted) setError((problem_ as Error).message)
    } finally {
      setProgress(undefined)
    }
  }

  const close = () => {
    stop.current?.abort()
    onClose()
  }
  return (
    <Dialog
      open={open}
      onClose={close}
      title={given ? `New version of ${given}` : `New datastore in ${team}`}
    >
      <div className="flex flex-col gap-3">
        <div
          onDragOver={(event) => {
            event.preventDefault()
            setOver(true)
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => void drop(event)}
          className={`flex flex-col items-center gap-3 rounded-lg border border-dashed px-4 py-8 text-center ${
            over ? 'border-accent bg-accent-wash' : 'border-line-strong bg-sunken'
          }`}
        >
          <p className="text-ink-soft">
            {picked.length === 0
              ? 'Drop a folder or files here'
              : `${plural(picked.length, 'file')}, ${formatBytes(size)}`}
          </p>
          <div className="flex flex-wrap justify-center gap-2">
            <FilePicker label="Choose a folder" folder onPick={pick} />
            <FilePicker label="Choose files" onPick={pick} />
          </div>
        </div>
        {picked.length === 0 && (
          <Field
            label="Or an address"
            help="The server fetches it and unpacks .zip, .tar, .tar.gz and .tar.zst."
          >
            {(props) => (
              <Input
                {...props}
                type="url"
                placeholder="https://example.org/data.tar.gz"
                value={address}
                spellCheck={false}
                onChange={({ target: { value } }) => {
                  setAddress(value.trim())
                  const derived = datastoreNameOf(address)
                  if (typed === '' || typed === derived) setTyped(datastoreNameOf(value.trim()))
                }}
              />
            )}
          </Field>
        )}
        {given === undefined && (
          <Field label="Name" {...(problem === undefined ? {} : { error: problem })}>
            {(props) => (
              <Input
                {...props}
                value={typed}
                spellCheck={false}
                onChange={(event) => setTyped(event.target.value)}
              />
            )}
          </Field>
        )}
        {progress !== undefined && <ProgressBar progress={progress} rate={rate} />}
        {error !== undefined && (
          <p role="alert" className="text-bad">
            {error}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={close}>Cancel</Button>
          <Button
            look="primary"
            busy={progress !== undefined}
            disabled={(picked.length === 0 && address === '') || name === '' || problem !== undefined}
            onClick={() => void start()}
          >
            {address === '' ? 'Upload' : 'Fetch'}
          </Button>
        </div>
        <div className="border-t border-line pt-3 text-[13px] text-ink-faint">
          <p className="mb-2">
            Large data, links and file modes go by the command line, which continues where it was cut off:
          </p>
          <CommandBlock text={`grid datastore create FOLDER --name ${name || 'my-data'} --team ${team}`} />
        </div>
      </div>
    </Dialog>
  )
}

function FilePicker({
  label,
  folder,
  onPick,
}: {
  label: string
  folder?: boolean
  onPick: (picked: Picked[], source: string) => void
}) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <Button small onClick={() => input.current?.click()}>
        {label}
      </Button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={label}
        {...(folder ? { webkitdirectory: '' } : {})}
        onChange={({ target }) => {
          const first = target.files?.[0]
          if (first === undefined || target.files === null) return
          const picked = pickedFromInput(target.files)
          onPick(picked, first.webkitRelativePath.split('/')[0] || first.name)
          target.value = ''
        }}
      />
    </>
  )
}

function ProgressBar({
  progress: { doing, bytes, ofBytes },
  rate,
}: {
  progress: Progress
  /** Bytes a second; zero while nobody knows. */
  rate: number
}) {
  const isCounted = !['finishing', 'waiting'].includes(doing)
  const share = !isCounted || ofBytes === 0 ? 1 : bytes / ofBytes
  return (
    <div>
      <div className="h-1.5 overflow-hidden rounded bg-sunken">
        <div className="h-full bg-accent transition-[width]" style={{ width: `${share * 100}%` }} />
      </div>
      <p role="status" className="mt-1 text-[13px] text-ink-faint">
        {words[doing]}
        {isCounted && ` ${formatBytes(bytes)}`}
        {isCounted && ofBytes > 0 && ` of ${formatBytes(ofBytes)}`}
        {isCounted && rate > 0 && `, ${formatBytes(rate)}/s`}
        {isCounted && rate > 0 && ofBytes > bytes && `, ${formatDuration((ofBytes - bytes) / rate)} left`}
      </p>
    </div>
  )
}
