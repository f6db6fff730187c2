import type { Line } from './lines.ts'
import type { Plot, PlotLook } from './plot.ts'

/** Hands a file to the person through the browser's own download. */
export function saveFile(name: string, content: Blob | string, mediaType = 'text/plain'): void {
  const blob = typeof content === 'string' ? new Blob([content], { type: mediaType }) : content
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = name.replaceAll(/[/\\:*?"<>|]/g, '_')
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

/** The plot with its title above and the names of its lines below, as PNG. */
export async function chartPicture(
  plot: Plot | null,
  title: string,
  lines: readonly Line[],
  look: PlotLook,
): Promise<Blob> {
  if (plot === null) throw new Error('The chart is not drawn yet')
  const canvas = plot.uplot.ctx.canvas
  const scale = window.devicePixelRatio
  const legendRows = Math.min(lines.length, 20)
  const picture = document.createElement('canvas')
  picture.width = canvas.width
  picture.height = canvas.height + (30 + 16 * legendRows + 8) * scale
  const ctx = picture.getContext('2d')!
  ctx.fillStyle = look.surface
  ctx.fillRect(0, 0, picture.width, picture.height)
  for (const layer of plot.canvases()) ctx.drawImage(layer, 0, 30 * scale)
  ctx.scale(scale, scale)
  ctx.fillStyle = look.ink
  ctx.font = `600 13px ${look.font.slice(5)}`
  ctx.fillText(title, 12, 20)
  ctx.font = look.font
  lines.slice(0, legendRows).forEach((line, i) => {
    const y = 30 + canvas.height / scale + 14 + i * 16
    ctx.fillStyle = line.colour
    ctx.fillRect(12, y - 6, 12, 3)
    ctx.fillStyle = look.ink
    ctx.fillText(line.label, 30, y)
  })
  return new Promise((resolve, reject) => {
    picture.toBlob(
      (blob) => (blob === null ? reject(new Error('The browser made no picture')) : resolve(blob)),
      'image/png',
    )
  })
}
