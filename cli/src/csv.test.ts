import { expect, test } from 'vitest'
import { csv } from './csv.ts'

test('cells with commas, quotes and line breaks are quoted', () => {
  expect(csv([{ run: 'a,b', note: 'say "hi"\nthere', failed: 2, gone: null }])).toBe(
    'run,note,failed,gone\r\n"a,b","say ""hi""\nthere",2,\r\n',
  )
})

test('a name that a spreadsheet would run is only text; a negative number stays one', () => {
  expect(csv([{ run: '=HYPERLINK("http://x")', score: -1 }])).toBe(
    'run,score\r\n"\'=HYPERLINK(""http://x"")",-1\r\n',
  )
})

test('rows with different keys share one header', () => {
  expect(csv([{ a: 1 }, { b: { c: 2 } }])).toBe('a,b\r\n1,\r\n,"{""c"":2}"\r\n')
})
