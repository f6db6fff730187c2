import type { FileInfo } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { formatBytes } from '../../lib/format.ts'
import { DataTable } from '../../ui/data-table.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { parseCsv } from './csv.ts'
import { ParquetPreview } from './parquet.tsx'

/** More text than this is not shown, it is downloaded: a page is no editor. */
const previewBytesMax = 512 * 1024

const images = /\.(?:png|jpe?g|gif|webp|bmp|avif|svg)$/i
const texts =
  /\.(?:txt|log|md|py|js|ts|json|ya?ml|toml|ini|cfg|sh|csv|tsv|xml|html?|css|c|cpp|h|rs|go|java|r|jl|patch|diff|ipynb|requirements|gitignore)$|(?:^|\/)(?:Dockerfile|Makefile|LICENSE|README)$/i

/** Shows what is safe to show: pictures as pictures, text as text. Nothing in a file is ever run. */
export function FilePreview({ file }: { file: FileInfo }) {
  if (images.test(file.path)) {
    return (
      <div className="grid min-h-40 place-items-center overflow-auto bg-[repeating-conic-gradient(var(--sunken)_0_25%,transparent_0_50%)] bg-[length:16px_16px] p-4">
        <img src={file.url} alt={file.path} className="max-h-[70vh] max-w-full" />
      </div>
    )
  }
  if (/\.parquet$/i.test(file.path)) return <ParquetPreview file={file} />
  if (texts.test(file.path) || file.mediaType.startsWith('text/')) return <TextPreview file={file} />
  return (
    <p className="p-4 text-ink-faint">
      No preview for this kind of file ({file.mediaType}). Download it to look inside.
    </p>
  )
}

function TextPreview({ file }: { file: FileInfo }) {
  const content = useQuery({
    queryKey: ['file-text', file.path, file.md5Hex, file.updatedAt],
    queryFn: ({ signal }) => readText(file, signal),
    staleTime: Infinity,
  })
  if (content.isError) return <Problem error={content.error} retry={() => void content.refetch()} />
  if (content.data === undefined) return <SkeletonRows />
  const cut = file.sizeBytes > previewBytesMax
  return (
    <>
      {cut && (
        <p className="border-b border-line bg-warn-wash px-4 py-1.5 text-[13px]">
          The first {formatBytes(previewBytesMax)} of {formatBytes(file.sizeBytes)}.
        </p>
      )}
      <Body path={file.path} text={content.data} cut={cut} />
    </>
  )
}

function Body({ path, text, cut }: { path: string; text: string; cut: boolean }) {
  if (/\.[ct]sv$/i.test(path)) {
    const rows = parseCsv(text, path.toLowerCase().endsWith('.tsv') ? '\t' : ',')
    const whole = cut ? rows.slice(0, -1) : rows
    if (whole.length > 1) return <DataTable columns={whole[0]!} rows={whole.slice(1)} label={path} />
  }
  if (/\.(?:patch|diff)$/i.test(path)) return <Difference text={text} />
  return (
    <pre className="scroll-quiet max-h-[70vh] overflow-auto bg-sunken p-3 font-mono text-[12.5px] leading-5 break-words whitespace-pre-wrap">
      {/\.json$/i.test(path) && !cut ? prettyJson(text) : text}
    </pre>
  )
}

const lineLooks: [RegExp, string][] = [
  [/^(?:diff |index |\+\+\+ |--- |new file|deleted file|similarity|rename )/, 'text-ink-faint'],
  [/^@@/, 'text-accent'],
  [/^\+/, 'bg-good-wash text-good'],
  [/^-/, 'bg-bad-wash text-bad'],
]

/** Added and removed lines apart, by colour and by the sign they begin with. */
function Difference({ text }: { text: string }) {
  return (
    <pre className="scroll-quiet max-h-[70vh] overflow-auto bg-sunken py-3 font-mono text-[12.5px] leading-5 break-words whitespace-pre-wrap">
      {text.split('\n').map((line, i) => (
        <span key={i} className={`block px-3 ${lineLooks.find(([begins]) => begins.test(line))?.[1] ?? ''}`}>
          {line === '' ? ' ' : line}
        </span>
      ))}
    </pre>
  )
}

function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

async function readText(file: FileInfo, signal: AbortSignal): Promise<string> {
  if (file.sizeBytes === 0) return ''
  const response = await fetch(file.url, {
    signal,
    ...(file.sizeBytes > previewBytesMax ? { headers: { range: `bytes=0-${previewBytesMax - 1}` } } : {}),
  })
  if (!response.ok) throw new Error(`The file could not be read: the server answered ${response.status}.`)
  return response.text()
}
