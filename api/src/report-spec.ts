/**
 * What a report's spec says, in our words, and back. The spec is the wandb client's JSON (version 5): text as Slate
 * nodes, panels in `panel-grid` blocks. What we do not know is kept as it came, so that a report which is written with
 * the client, edited here and read again by the client loses nothing.
 *
 * Source: package wandb_workspaces 0.4 (reports/v2/internal.py), read for the shapes.
 */

export type PanelKind = 'line' | 'bar' | 'scalar' | 'compare' | 'text' | 'unknown'

export type ReportPanel = {
  id: string
  kind: PanelKind
  title: string | null
  metrics: string[]
  /** `step`, `runtime`, `timestamp`, or a logged key. */
  x: string
  /** Of text panels. */
  markdown: string
  /** As it came; for kinds we do not draw, their name. */
  viewType: string
}

export type ReportFilter = {
  column: string
  op: 'eq' | 'ne' | 'in' | 'gte' | 'lte'
  value: string | number | (string | number)[]
}

/** The experiments that a grid shows: those of a project that match, newest first unless told. */
export type RunSet = {
  name: string
  /** Null: the report's own. */
  team: string | null
  project: string | null
  search: string
  filters: ReportFilter[]
  /** How many filters there are that we do not know; they are kept, and the page says so. */
  unknownFilters: number
  sort: { column: string; descending: boolean }[]
  enabled: boolean
}

export type ReportBlock =
  | { kind: 'text'; markdown: string; source?: object }
  | { kind: 'panels'; runSets: RunSet[]; panels: ReportPanel[]; source?: object }
  /** Shown as its name alone. */
  | { kind: 'other'; type: string; source: object }

type Node = { [key: string]: unknown }

export const reportSpecVersion = 5
/** Longer specs are refused. */
export const reportSpecBytesMax = 2_000_000
/** How many experiments a run set shows. */
export const runSetExperimentsMax = 20

/** The blocks of a report, in order. A spec that is no report is one empty text. */
export function readReport(spec: string): ReportBlock[] {
  const blocks = list(objectOf(parsed(spec))['blocks']).map(objectOf)
  const read = blocks.map(blockOf)
  // The client frames every report with an empty paragraph on both sides.
  while (read.length > 1 && isEmptyText(read[0]!)) read.shift()
  while (read.length > 1 && isEmptyText(read.at(-1)!)) read.pop()
  return read.length > 0 ? read : [{ kind: 'text', markdown: '' }]
}

/**
 * A spec with these blocks: those with a `source` as they came, others written anew.
 * @param before the spec they were read from; what stands beside its blocks is kept.
 */
export function writeReport(blocks: readonly ReportBlock[], before?: string): string {
  const empty = { type: 'paragraph', children: [{ text: '' }] }
  return JSON.stringify({
    version: reportSpecVersion,
    panelSettings: {},
    width: 'readable',
    authors: [],
    discussionThreads: [],
    ref: {},
    ...(before === undefined ? {} : objectOf(parsed(before))),
    blocks: [empty, ...blocks.map(nodeOf), empty],
  })
}

function isEmptyText(block: ReportBlock): boolean {
  return block.kind === 'text' && block.markdown.trim() === ''
}

function blockOf(node: Node): ReportBlock {
  if (node['type'] === 'panel-grid') return { ...gridOf(objectOf(node['metadata'])), source: node }
  const markdown = markdownOf(node)
  return markdown === undefined
    ? { kind: 'other', type: text(node['type']) || 'block', source: node }
    : { kind: 'text', markdown, source: node }
}

function nodeOf(block: ReportBlock): object {
  if (block.source) return block.source
  switch (block.kind) {
    case 'text':
      return { type: 'markdown-block', children: [{ text: '' }], content: block.markdown }
    case 'panels':
      return gridNode(block)
    case 'other':
      return block.source
  }
  return block satisfies never
}

// --- text ---

/** Slate nodes as Markdown; undefined for blocks that are no text. */
function markdownOf(node: Node): string | undefined {
  const children = list(node['children']).map(objectOf)
  switch (node['type']) {
    case 'markdown-block':
    case 'markdown':
      return text(node['content'])
    case 'paragraph':
      return inline(children)
    case 'heading': {
      const level = Math.min(6, Math.max(1, Number(node['level']) || 1))
      return `${'#'.repeat(level)} ${inline(children)}`
    }
    case 'list':
      return listText(node, 0)
    case 'code-block': {
      const lines = children.map((line) => list(line['children']).map(leafText).join(''))
      return fenced(lines.join('\n'), text(node['language']))
    }
    case 'block-quote':
      return quoted(inline(children))
    case 'callout-block':
      return quoted(children.map((line) => inline(list(line['children']).map(objectOf))).join('\n'))
    case 'horizontal-rule':
      return '---'
    case 'latex':
      return fenced(text(node['content']), 'latex')
    case 'image': {
      const caption = inline(children)
      return `![${caption}](<${text(node['url']).replaceAll(/[<>\n]/g, '')}>)`
    }
    default:
      return undefined
  }
}

function inline(children: readonly Node[]): string {
  return children
    .map((child) => {
      if (child['type'] === 'link') {
        const inner = inline(list(child['children']).map(objectOf))
        return `[${inner}](<${text(child['url']).replaceAll(/[<>\n]/g, '')}>)`
      }
      if (child['type'] === 'latex') return `\`${text(child['content']).replaceAll('`', "'")}\``
      if (Array.isArray(child['children'])) return inline(list(child['children']).map(objectOf))
      return leafOf(child)
    })
    .join('')
}

function leafOf(leaf: Node): string {
  const plain = text(leaf['text'])
  if (plain === '') return ''
  if (leaf['inlineCode'] === true) return `\`${plain.replaceAll('`', "'")}\``
  const safe = plain.replaceAll(/([\\`*_[\]<>#|~])/g, '\\$1')
  const bold = leaf['bold'] === true ? `**${safe}**` : safe
  return leaf['italic'] === true ? `*${bold}*` : bold
}

function leafText(leaf: unknown): string {
  return text(objectOf(leaf)['text'])
}

function listText(node: Node, depth: number): string {
  return list(node['children'])
    .map(objectOf)
    .map((item, index) => {
      const mark = node['ordered'] === true || item['ordered'] === true ? `${index + 1}.` : '-'
      const tick = typeof item['checked'] === 'boolean' ? (item['checked'] ? ' [x]' : ' [ ]') : ''
      const parts = list(item['children']).map(objectOf)
      const own = parts.filter(({ type }) => type !== 'list')
      const below = parts
        .filter(({ type }) => type === 'list')
        .map((each) => `\n${listText(each, depth + 1)}`)
      return `${'  '.repeat(depth)}${mark}${tick} ${inline(own).replaceAll('\n', ' ')}${below.join('')}`
    })
    .join('\n')
}

function fenced(code: string, language: string): string {
  const fence = '`'.repeat(Math.max(3, ...[...code.matchAll(/`+/g)].map(([run]) => run.length + 1)))
  return `${fence}${language.replaceAll(/[^\w+-]/g, '')}\n${code}\n${fence}`
}

function quoted(lines: string): string {
  return lines
    .split('\n')
    .map((line) => `> ${line}`)
    .join('\n')
}

// --- panels ---

const viewTypes: Record<string, PanelKind> = {
  'Run History Line Plot': 'line',
  'Bar Chart': 'bar',
  'Scalar Chart': 'scalar',
  'Run Comparer': 'compare',
  'Markdown Panel': 'text',
}

function gridOf(metadata: Node): { kind: 'panels'; runSets: RunSet[]; panels: ReportPanel[] } {
  const section = objectOf(metadata['panelBankSectionConfig'])
  return {
    kind: 'panels',
    runSets: list(metadata['runSets']).map(objectOf).map(runSetOf),
    panels: list(section['panels']).map(objectOf).map(panelOf),
  }
}

function panelOf(panel: Node, index: number): ReportPanel {
  const config = objectOf(panel['config'])
  const viewType = text(panel['viewType'])
  return {
    id: text(panel['__id__']) || `panel-${index}`,
    kind: viewTypes[viewType] ?? 'unknown',
    title: text(config['chartTitle']) || text(config['title']) || null,
    metrics: list(config['metrics'])
      .filter((each): each is string => typeof each === 'string')
      .slice(0, 50),
    x: axisOf(text(config['xAxis'])),
    markdown: text(config['value']),
    viewType,
  }
}

const axes: Record<string, string> = {
  '': 'step',
  _step: 'step',
  Step: 'step',
  _runtime: 'runtime',
  _absolute_runtime: 'runtime',
  _timestamp: 'timestamp',
}

function axisOf(given: string): string {
  return axes[given] ?? given
}

const operators: Record<string, ReportFilter['op']> = {
  '=': 'eq',
  '!=': 'ne',
  IN: 'in',
  '>=': 'gte',
  '<=': 'lte',
}

function runSetOf(set: Node): RunSet {
  const project = objectOf(set['project'])
  const { known, unknown } = filtersOf(objectOf(set['filters']))
  return {
    name: text(set['name']) || 'Experiments',
    team: text(project['entityName']) || null,
    project: text(project['name']) || null,
    search: text(objectOf(set['search'])['query']),
    filters: known,
    unknownFilters: unknown,
    sort: list(objectOf(set['sort'])['keys']).map(objectOf).flatMap(sortOf).slice(0, 5),
    enabled: set['enabled'] !== false,
  }
}

function filtersOf(filters: Node): { known: ReportFilter[]; unknown: number } {
  // Older specs nest them: an OR of ANDs.
  const flat = list(filters['filters'])
    .map(objectOf)
    .flatMap((each) => (Array.isArray(each['filters']) ? list(each['filters']).map(objectOf) : [each]))
    .flatMap((each) => (Array.isArray(each['filters']) ? list(each['filters']).map(objectOf) : [each]))
    .filter((each) => each['disabled'] !== true)
  const known = flat.flatMap((each): ReportFilter[] => {
    const column = columnOf(objectOf(each['key']))
    const op = operators[text(each['op'])]
    const value = each['value']
    if (column === undefined || op === undefined) return []
    if (op === 'in')
      return Array.isArray(value) && value.every(isScalar) ? [{ column, op, value: value as string[] }] : []
    return isScalar(value) ? [{ column, op, value }] : []
  })
  return { known, unknown: flat.length - known.length }
}

function sortOf(key: Node): RunSet['sort'] {
  const column = columnOf(objectOf(key['key']))
  return column === undefined ? [] : [{ column, descending: key['ascending'] !== true }]
}

const runColumns: Record<string, string> = {
  name: 'slug',
  displayName: 'name',
  state: 'state',
  username: 'creator',
  group: 'group',
  jobType: 'job_type',
  createdAt: 'created_at',
  duration: 'duration',
}

/** A column of the table, from the client's section and name. */
function columnOf(key: Node): string | undefined {
  const name = text(key['name'])
  if (name === '') return undefined
  switch (key['section']) {
    case 'run':
      return runColumns[name]
    case 'tags':
      return 'tags'
    case 'summary':
      return `summary.${name}`
    case 'config':
      // The client writes `lr.value`: the value of the key lr.
      return `config.${name.replace(/\.value$/, '').replace(/^([^.]+)\.value\./, '$1.')}`
    default:
      return undefined
  }
}

/** The client's key for a column of ours. */
function keyOf(column: string): object {
  if (column.startsWith('summary.')) return { section: 'summary', name: column.slice(8) }
  if (column.startsWith('config.')) return { section: 'config', name: `${column.slice(7)}.value` }
  if (column === 'tags') return { section: 'tags', name: '__ALL__' }
  return {
    section: 'run',
    name: Object.keys(runColumns).find((name) => runColumns[name] === column) ?? column,
  }
}

function gridNode({ runSets, panels }: Extract<ReportBlock, { kind: 'panels' }>): object {
  const flow = {
    snapToColumns: true,
    columnsPerPage: 3,
    rowsPerPage: 2,
    gutterWidth: 16,
    boxWidth: 460,
    boxHeight: 300,
  }
  const localPanelSettings = {
    smoothingWeight: 0,
    smoothingType: 'exponential',
    xAxis: '_step',
    ignoreOutliers: false,
    useRunsTableGroupingInPanels: true,
    smoothingActive: true,
    xAxisActive: false,
  }
  return {
    type: 'panel-grid',
    children: [{ text: '' }],
    metadata: {
      openViz: true,
      openRunSet: 0,
      name: 'unused-name',
      runSets: runSets.map(runSetNode),
      hideRunSets: false,
      panels: { views: { 0: { name: 'Panels', defaults: [], config: [] } }, tabs: ['0'] },
      panelBankConfig: {
        state: 0,
        settings: { autoOrganizePrefix: 2, showEmptySections: false, sortAlphabetically: false },
        sections: [
          {
            name: 'Hidden Panels',
            isOpen: false,
            type: 'flow',
            flowConfig: flow,
            sorted: 0,
            localPanelSettings,
            panels: [],
          },
        ],
      },
      panelBankSectionConfig: {
        name: 'Report Panels',
        isOpen: false,
        panels: panels.map(panelNode),
        type: 'grid',
        flowConfig: flow,
        sorted: 0,
        localPanelSettings,
      },
      customRunColors: {},
    },
  }
}

function panelNode(panel: ReportPanel, index: number): object {
  const names = {
    line: 'Run History Line Plot',
    bar: 'Bar Chart',
    scalar: 'Scalar Chart',
    compare: 'Run Comparer',
    text: 'Markdown Panel',
  } as const
  const viewType = panel.kind === 'unknown' ? panel.viewType : names[panel.kind]
  const title = panel.title ? { chartTitle: panel.title } : {}
  const xAxis = Object.keys(axes).find((name) => name.startsWith('_') && axes[name] === panel.x) ?? panel.x
  const config = {
    line: { ...title, xAxis, metrics: panel.metrics },
    bar: { ...title, metrics: panel.metrics, vertical: false },
    scalar: { ...title, metrics: panel.metrics },
    compare: {},
    text: { value: panel.markdown },
    unknown: {},
  }[panel.kind]
  return {
    __id__: panel.id,
    layout: { x: (index % 3) * 8, y: Math.floor(index / 3) * 6, w: 8, h: 6 },
    viewType,
    config,
  }
}

function runSetNode(set: RunSet, index: number): object {
  return {
    id: `set${index}`,
    runFeed: {
      version: 2,
      columnVisible: {},
      columnPinned: {},
      columnWidths: {},
      columnOrder: [],
      pageSize: 10,
      onlyShowSelected: false,
    },
    enabled: set.enabled,
    ...(set.project === null ? {} : { project: { name: set.project, entityName: set.team ?? '', id: '' } }),
    name: set.name,
    search: { query: set.search },
    filters: {
      filterFormat: 'filterV2',
      filters: set.filters.map(({ column, op, value }) => ({
        key: keyOf(column),
        op: Object.keys(operators).find((name) => operators[name] === op),
        value,
        disabled: false,
      })),
    },
    grouping: [],
    sort: {
      keys: (set.sort.length > 0 ? set.sort : [{ column: 'created_at', descending: true }]).map(
        ({ column, descending }) => ({ key: keyOf(column), ascending: !descending }),
      ),
    },
    selections: { root: 1, bounds: [], tree: [] },
    expandedRowAddresses: [],
  }
}

// --- reading what strangers wrote ---

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return {}
  }
}

function objectOf(value: unknown): Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : {}
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value.slice(0, 5000) : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}
