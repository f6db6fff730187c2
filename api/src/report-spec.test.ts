import { expect, test } from 'vitest'
import { readReport, type ReportBlock, writeReport } from './report-spec.ts'

const spec = (...blocks: object[]) => JSON.stringify({ version: 5, blocks, discussionThreads: [{ id: 1 }] })
const paragraph = (...children: object[]) => ({ type: 'paragraph', children })

test.each(['', 'no json', '[]', '{}', '{"blocks":7}', '{"blocks":[null,7,"x"]}'])(
  'what is no report is an empty one: %s',
  (given) => {
    expect(readReport(given).every((block) => block.kind !== 'panels')).toBe(true)
  },
)

test('text of the client becomes Markdown in which nothing is markup by accident', () => {
  const blocks = readReport(
    spec(
      { type: 'heading', level: 2, children: [{ text: 'Head *not bold*' }] },
      paragraph(
        { text: 'see ' },
        { type: 'link', url: 'https://x.y/(z)', children: [{ text: 'here' }] },
        { text: 'a`b', inlineCode: true },
        { text: '<b>', bold: true },
      ),
      {
        type: 'list',
        children: [
          { type: 'list-item', checked: true, children: [paragraph({ text: 'done' })] },
          { type: 'list-item', children: [paragraph({ text: 'plain' })] },
        ],
      },
      { type: 'code-block', language: 'python', children: [{ children: [{ text: 'print("```")' }] }] },
      { type: 'horizontal-rule', children: [{ text: '' }] },
      { type: 'spotify', spotifyID: 'x' },
    ),
  )
  expect(blocks.map((block) => (block.kind === 'text' ? block.markdown : block.kind))).toEqual([
    '## Head \\*not bold\\*',
    "see [here](<https://x.y/(z)>)`a'b`**\\<b\\>**",
    '- [x] done\n- plain',
    '````python\nprint("```")\n````',
    '---',
    'other',
  ])
})

test('a panel grid tells its experiments and panels, and what it does not know', () => {
  const [block] = readReport(
    spec({
      type: 'panel-grid',
      metadata: {
        runSets: [
          {
            name: 'rs',
            project: { name: 'p', entityName: 'e' },
            search: { query: 'abc' },
            filters: {
              filterFormat: 'filterV2',
              filters: [
                { key: { section: 'run', name: 'name' }, op: 'IN', value: ['a', 'b'] },
                { key: { section: 'config', name: 'lr.value' }, op: '>=', value: 0.1 },
                { key: { section: 'run', name: 'moon' }, op: '=', value: 'full' },
              ],
            },
            sort: { keys: [{ key: { section: 'summary', name: 'acc' }, ascending: false }] },
          },
        ],
        panelBankSectionConfig: {
          panels: [
            {
              __id__: 'a',
              viewType: 'Run History Line Plot',
              config: { chartTitle: 'L', xAxis: '_step', metrics: ['loss', 7] },
            },
            { viewType: 'Parallel Coordinates Plot', config: {} },
          ],
        },
      },
    }),
  )
  expect(block).toMatchObject({
    kind: 'panels',
    runSets: [
      {
        team: 'e',
        project: 'p',
        search: 'abc',
        filters: [
          { column: 'slug', op: 'in', value: ['a', 'b'] },
          { column: 'config.lr', op: 'gte', value: 0.1 },
        ],
        unknownFilters: 1,
        sort: [{ column: 'summary.acc', descending: true }],
      },
    ],
    panels: [
      { id: 'a', kind: 'line', title: 'L', metrics: ['loss'], x: 'step' },
      { id: 'panel-1', kind: 'unknown', viewType: 'Parallel Coordinates Plot' },
    ],
  })
})

test('what was not edited is written as it came; what was is read back the same', () => {
  const odd = { type: 'spotify', spotifyID: 'x', children: [{ text: '' }] }
  const before = spec(odd)
  const blocks: ReportBlock[] = [
    ...readReport(before),
    { kind: 'text', markdown: '# New' },
    {
      kind: 'panels',
      runSets: [
        {
          name: 'Best',
          team: 'e',
          project: 'p',
          search: '',
          filters: [
            { column: 'slug', op: 'in', value: ['a'] },
            { column: 'summary.acc', op: 'gte', value: 0.5 },
            { column: 'config.lr', op: 'eq', value: 1 },
          ],
          unknownFilters: 0,
          sort: [{ column: 'created_at', descending: true }],
          enabled: true,
        },
      ],
      panels: [
        {
          id: 'x',
          kind: 'line',
          title: 'Loss',
          metrics: ['loss'],
          x: 'runtime',
          markdown: '',
          viewType: 'Run History Line Plot',
        },
      ],
    },
  ]
  const written = writeReport(blocks, before)
  const kept = JSON.parse(written) as { blocks: object[]; discussionThreads: unknown }
  expect(kept.blocks[1]).toEqual(odd)
  expect(kept.discussionThreads).toEqual([{ id: 1 }])
  const again = readReport(written).map(({ source: _, ...block }) => block)
  const asked = blocks.map(({ source: _, ...block }) => block)
  expect(again).toEqual(asked)
})
