import type { Datastore, DatastoreVisibility } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { Difference } from '../../features/datastores/difference.tsx'
import { datastoresQuery } from '../../features/datastores/queries.ts'
import { UploadDialog } from '../../features/datastores/upload-dialog.tsx'
import { UsedBy } from '../../features/datastores/uses.tsx'
import { type OpenFile, VersionBrowser } from '../../features/datastores/version-browser.tsx'
import { Versions } from '../../features/datastores/versions.tsx'
import { FilePreview } from '../../features/files/preview.tsx'
import { teamQuery } from '../../features/teams/queries.ts'
import { api, grid, isNotFound } from '../../lib/client.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { useMe, useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Select } from '../../ui/field.tsx'
import { Page, Section } from '../../ui/layout.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/$team/datastores/$owner/$name')

const seenBy: Record<DatastoreVisibility, string> = {
  private: 'its owner and the admins',
  team: 'the team',
  organisation: 'everybody here',
}

/** One datastore: its versions, the files of one of them, and what changed since another. */
export function DatastorePage() {
  const { team: slug, owner, name } = route.useParams()
  const { version: chosen, folder = '', file, since } = route.useSearch()
  const navigate = route.useNavigate()
  const found = useQuery(datastoresQuery(slug))
  const team = useQuery(teamQuery(slug))
  const me = useMe()
  const refused = useRefusal(team.data)
  const [uploading, setUploading] = useState(false)
  if (found.isError)
    return isNotFound(found.error) ? (
      <NotFound />
    ) : (
      <Problem error={found.error} retry={() => void found.refetch()} />
    )
  if (found.data === undefined) return <SkeletonRows className="mx-auto max-w-4xl py-8" />
  const datastore = found.data.items.find((each) => each.name === name && each.owner.username === owner)
  if (datastore === undefined) return <NotFound />

  const alive = datastore.versions.filter((version) => version.status === 'succeeded')
  const version = alive.find((each) => each.number === chosen) ?? alive[0]
  // The table asks by id, and the page knows people by name: whether it is mine decides.
  const isMine = owner === me?.user.username
  const about = {
    ownerId: isMine ? me.user.id : 'another',
    ownerName: owner,
    name,
    kind: 'datastore',
    visibility: datastore.visibility,
  }
  const show = (search: { version?: number; folder?: string; file?: string; since?: number }) =>
    void navigate({ search })
  return (
    <Page
      wide
      title={
        <span className="break-all">
          <span className="font-normal text-ink-faint">{owner}:</span>
          {name}
        </span>
      }
      note={
        <Link to="/$team/datastores" params={{ team: slug }} className="text-ink-faint hover:underline">
          {slug} / datastores
        </Link>
      }
      actions={
        <>
          <Visibility datastore={datastore} refused={refused('datastore:edit', about)} />
          <Button
            look="primary"
            refused={isMine ? refused('datastore:create', about) : ownersWord(owner)}
            onClick={() => setUploading(true)}
          >
            New version
          </Button>
        </>
      }
    >
      <Section title="Versions" flush>
        <Versions
          datastore={datastore}
          version={version?.number}
          onChoose={(number) => show({ version: number })}
          refused={refused('datastore:delete', about)}
        />
      </Section>
      {version !== undefined && (
        <>
          <Section
            title={`Version ${version.number}`}
            says={`${plural(version.files, 'file')}, ${formatBytes(version.sizeBytes)}`}
            actions={
              alive.length > 1 && (
                <Select
                  small
                  aria-label="Compare with"
                  value={since ?? ''}
                  onChange={(event) =>
                    show({
                      version: version.number,
                      ...(event.target.value === '' ? {} : { since: Number(event.target.value) }),
                    })
                  }
                >
                  <option value="">Compare with …</option>
                  {alive
                    .filter((each) => each.number !== version.number)
                    .map((each) => (
                      <option key={each.number} value={each.number}>
                        version {each.number}
                      </option>
                    ))}
                </Select>
              )
            }
            flush
          >
            {since === undefined ? (
              <div className="p-3">
                <VersionBrowser
                  at={{ datastoreId: datastore.id, version: version.number }}
                  folder={folder}
                  open={file}
                  onFolder={(path) => show({ version: version.number, folder: path })}
                  onOpen={(path) => show({ version: version.number, folder, file: path })}
                  preview={(opened) => <FilePreview file={fileOf(opened, version.createdAt)} />}
                />
              </div>
            ) : (
              <Difference datastoreId={datastore.id} version={version.number} since={since} />
            )}
          </Section>
          <UsedBy datastoreId={datastore.id} />
          <Section title="Use it" says="from any machine that is logged in">
            <CommandBlock text={`grid datastore download ${owner}:${name}:${version.number}`} />
          </Section>
        </>
      )}
      <UploadDialog
        team={slug}
        name={name}
        open={uploading}
        onClose={() => setUploading(false)}
        onDone={(_, number) => {
          setUploading(false)
          show({ version: number })
        }}
      />
    </Page>
  )
}

function ownersWord(owner: string): string {
  return `This datastore is ${owner}'s. Add a version with: grid datastore create FOLDER --owner ${owner}, if your team's policy allows it.`
}

function fileOf(file: OpenFile, updatedAt: string) {
  const { path, sizeBytes, mediaType, url } = file
  return { path, sizeBytes, mediaType, url, updatedAt, md5Hex: file.sha256Hex ?? '' }
}

function Visibility({ datastore, refused }: { datastore: Datastore; refused: string | undefined }) {
  const queries = useQueryClient()
  const change = async (visibility: DatastoreVisibility) => {
    await grid.datastores.change({ datastoreId: datastore.id, visibility })
    await queries.invalidateQueries({ queryKey: api.datastores.key() })
    tell(`Seen by ${seenBy[visibility]}`)
  }
  return (
    <label className="flex items-center gap-1.5 text-[13px] text-ink-faint" title={refused}>
      Seen by
      <Select
        small
        value={datastore.visibility}
        disabled={refused !== undefined}
        onChange={(event) => void change(event.target.value as DatastoreVisibility).catch(tellError)}
      >
        {Object.entries(seenBy).map(([visibility, words]) => (
          <option key={visibility} value={visibility}>
            {words}
          </option>
        ))}
      </Select>
    </label>
  )
}
