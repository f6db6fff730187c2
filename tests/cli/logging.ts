/** Logs experiments over plain HTTP, in the words of the wandb client, so that tests of other things need no Python. */
import type { TestServer } from '../support/server.ts'

export type Place = { team: string; project: string; id: string }

export type LoggedExperiment = Place & {
  /** Console lines as the client sends them, from line `offset` on. */
  print: (offset: number, lines: readonly { text: string; at?: string; isError?: boolean }[]) => Promise<void>
  log: (offset: number, rows: readonly Record<string, unknown>[]) => Promise<void>
  save: (path: string, content: Uint8Array) => Promise<void>
  finish: (exitCode: number) => Promise<void>
}

export async function startExperiment(
  server: TestServer,
  key: string,
  place: Place,
  options: { name?: string; group?: string; config?: Record<string, unknown> } = {},
): Promise<LoggedExperiment> {
  const authorization = `Basic ${Buffer.from(`api:${key}`).toString('base64')}`
  const config = Object.fromEntries(
    Object.entries(options.config ?? {}).map(([name, value]) => [name, { value }]),
  )
  await graphql(
    server,
    authorization,
    `
      mutation UpsertBucket($input: UpsertBucketInput!) {
        upsertBucket(input: $input) {
          bucket {
            id
          }
          inserted
        }
      }
    `,
    {
      input: {
        name: place.id,
        modelName: place.project,
        entityName: place.team,
        displayName: options.name ?? null,
        groupName: options.group ?? null,
        jobProgram: 'train.py',
        config: JSON.stringify(config),
      },
    },
  )
  const stream = async (body: Record<string, unknown>) => {
    const { team, project, id } = place
    const response = await fetch(`${server.url}/files/${team}/${project}/${id}/file_stream`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`file_stream answered ${response.status}: ${await response.text()}`)
  }
  return {
    ...place,
    print: (offset, lines) =>
      stream({
        files: {
          'output.log': {
            offset,
            content: lines.map(({ text, at = '2026-11-22T03:14:18.051126', isError }) =>
              JSON.stringify({ ...(isError ? { level: 'error' } : {}), ts: at, content: text }),
            ),
          },
        },
      }),
    log: (offset, rows) =>
      stream({
        files: { 'wandb-history.jsonl': { offset, content: rows.map((row) => JSON.stringify(row)) } },
      }),
    save: async (path, content) => {
      const answer = await graphql<{ createRunFiles: { files: { uploadUrl: string }[] } }>(
        server,
        authorization,
        `
          mutation CreateRunFiles($input: CreateRunFilesInput!) {
            createRunFiles(input: $input) {
              runID
              uploadHeaders
              files {
                name
                uploadUrl
              }
            }
          }
        `,
        {
          input: {
            entityName: place.team,
            projectName: place.project,
            runName: place.id,
            files: [path],
          },
        },
      )
      const response = await fetch(answer.createRunFiles.files[0]!.uploadUrl, {
        method: 'PUT',
        body: content as Uint8Array<ArrayBuffer>,
      })
      if (!response.ok) throw new Error(`The upload answered ${response.status}: ${await response.text()}`)
    },
    finish: (exitCode) => stream({ complete: true, exitcode: exitCode }),
  }
}

async function graphql<Data>(
  server: TestServer,
  authorization: string,
  query: string,
  variables: Record<string, unknown>,
): Promise<Data> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  const body = (await response.json()) as { data?: Data; errors?: { message: string }[] }
  if (!response.ok || body.errors?.length || !body.data) {
    throw new Error(`graphql answered ${response.status}: ${JSON.stringify(body)}`)
  }
  return body.data
}
