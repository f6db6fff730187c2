/** Which files a logged value refers to. Pure; the shapes are the client's. */
import { isJsonObject } from '../lib/tolerant-json.ts'

export type MediaFile = { path: string; caption: string | null }

/** Lists of media in one value, by the key that holds the paths. Source: wandb data types, `seq_to_json` of each. */
const listKeys = [
  'filenames',
  'audio',
  'videos',
  'html',
  'objects',
  'molecules',
  'files',
  'plots',
  'paths',
] as const

/** Folders of the lists whose entries are bare file names. */
const folderOf: Readonly<Record<string, string>> = {
  'images/separated': 'media/images/',
  images: 'media/images/',
  audio: 'media/audio/',
  videos: 'media/videos/',
  html: 'media/html/',
  object3D: 'media/object3D/',
  molecule: 'media/molecule/',
}

const nestedMax = 8

/**
 * Paths of the files behind a logged value, relative to the experiment's files, in order: the one of an image, audio,
 * video, html, table, plotly, 3-D object or molecule; those of a list of them; and of values inside lists.
 */
export function filesOfValue(value: unknown): MediaFile[] {
  const files: MediaFile[] = []
  collect(value, files, 0)
  return files
}

function collect(value: unknown, files: MediaFile[], depth: number): void {
  if (depth > nestedMax) return
  if (Array.isArray(value)) {
    for (const item of value) collect(item, files, depth + 1)
    return
  }
  if (!isJsonObject(value)) return
  const type = typeof value['_type'] === 'string' ? value['_type'] : ''
  if (typeof value['path'] === 'string' && type !== '')
    files.push({ path: value['path'], caption: textOrNull(value['caption']) })
  for (const key of listKeys) {
    const list = value[key]
    if (Array.isArray(list)) collectList(type, list, value['captions'], files, depth)
  }
}

function collectList(
  type: string,
  list: unknown[],
  captions: unknown,
  files: MediaFile[],
  depth: number,
): void {
  list.forEach((item, index) => {
    const caption = Array.isArray(captions) ? textOrNull(captions[index]) : null
    if (typeof item === 'string') {
      // Clients name either the whole path or, in older lists, only the file.
      const path = item.includes('/') ? item : `${folderOf[type] ?? ''}${item}`
      files.push({ path, caption })
    } else if (isJsonObject(item) && typeof item['path'] === 'string')
      files.push({ path: item['path'], caption: textOrNull(item['caption']) ?? caption })
    else collect(item, files, depth + 1)
  })
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
