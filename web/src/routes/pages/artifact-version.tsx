import type { ArtifactDetails } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { DeleteButton } from '../../features/artifacts/delete-dialog.tsx'
import { References } from '../../features/artifacts/files.tsx'
import { LineageGraph } from '../../features/artifacts/lineage-graph.tsx'
import { Aliases, ExperimentLink, RegistryLink } from '../../features/artifacts/names.tsx'
import { artifactFilesQuery, lineageQuery, versionQuery } from '../../features/artifacts/queries.ts'
import { FileBrowser } from '../../features/files/file-browser.tsx'
import { isNotFound } from '../../lib/client.ts'
import { exactValue, formatBytes, formatCount, formatValue, plural } from '../../lib/format.ts'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page, PlainTable, Section } from '../../ui/layout.tsx'
import { TabRow, tabClass } from '../../ui/tabs.tsx'
import { Ago } from '../../ui/time.tsx'
import { NotFound } from '../page-states.tsx'
import { present } from '../search.ts'

const route = getRouteApi('/inside/$team/$project/artifacts/$type/$collection/$version')

const filesShownMax = 5000
const tabs = [
  { view: 'overview', label: 'Overview' },
  { view: 'files', label: 'Files' },
  { view: 'lineage', label: 'Lineage' },
] as const

/** One version: what it is, what is in it, where it came from and what came of it. */
export function ArtifactVersionPage() {
  const params = route.useParams()
  const { view = 'overview' } = route.useSearch()
  const navigate = route.useNavigate()
  const { team, project, collection, version } = params
  const ref = { team, project, collection, version }
  const found = useQuery(versionQuery(ref))
  if (found.isError && isNotFound(found.error)) return <NotFound />
  const { data } = found
  if (data === undefined) {
    return found.isError ? (
      <Problem error={found.error} retry={() => void found.refetch()} />
    ) : (
      <SkeletonRows className="mx-auto max-w-4xl py-8" />
    )
  }
  const isLink = data.source !== `${data.team}/${data.project}/${data.collection}:${data.version}`
  return (
    <Page
      title={`${data.collection}:${data.version}`}
      wide
      note={
        <span className="flex flex-wrap items-center gap-2 text-ink-faint">
          {project.startsWith('wandb-registry-') && <RegistryLink project={project} />}
          <Link to="/$team/$project/artifacts/$type/$collection" params={params} className="hover:underline">
            {project.startsWith('wandb-registry-')
              ? data.collection
              : `${team} / ${project} / ${data.collection}`}
          </Link>
          <Aliases of={data.aliases} tags={data.tags} />
        </span>
      }
      actions={
        <DeleteButton
          of={ref}
          isLink={isLink}
          onDeleted={() =>
            void navigate({ to: '/$team/$project/artifacts/$type/$collection', params, search: {} })
          }
        />
      }
    >
      <TabRow label="Parts of the version">
        {tabs.map((each) => (
          <Link
            key={each.view}
            to="/$team/$project/artifacts/$type/$collection/$version"
            params={params}
            search={each.view === 'overview' ? {} : { view: each.view }}
            aria-current={each.view === view ? 'page' : undefined}
            data-open={each.view === view || undefined}
            className={tabClass}
          >
            {each.label}
            {each.view === 'files' && (
              <span className="ml-1 text-xs text-ink-faint">{formatCount(data.fileCount)}</span>
            )}
          </Link>
        ))}
      </TabRow>
      {view === 'overview' && <Overview of={data} isLink={isLink} />}
      {view === 'files' && <Files of={data} />}
      {view === 'lineage' && <LineageTab of={data} />}
    </Page>
  )
}

function Overview({ of, isLink }: { of: ArtifactDetails; isLink: boolean }) {
  const name = `${of.team}/${of.project}/${of.collection}:${of.version}`
  const metadata = Object.entries(of.metadata)
  const facts: [string, ReactNode][] = [
    ['Type', of.type],
    ['Size', `${formatBytes(of.sizeBytes)} in ${plural(of.fileCount, 'file')}`],
    [
      'Made',
      <>
        <Ago at={of.createdAt} /> by {of.createdBy.username}
      </>,
    ],
    ['Made by', of.madeBy === null ? 'no experiment' : <ExperimentLink key="by" of={of.madeBy} />],
    ...(isLink ? [['Links to', of.source] as [string, ReactNode]] : []),
    ...(of.expiresAt === null
      ? []
      : [['Deleted by itself', <Ago key="at" at={of.expiresAt} />] as [string, ReactNode]]),
    [
      'Digest',
      <span key="digest" className="font-mono text-xs break-all">
        {of.digest}
      </span>,
    ],
  ]
  return (
    <>
      {of.description !== null && of.description !== '' && (
        <p className="whitespace-pre-wrap">{of.description}</p>
      )}
      <Section title="About" flush>
        <dl className="grid grid-cols-[8rem_1fr] gap-x-4 gap-y-1.5 p-4 text-[13px]">
          {facts.map(([label, value]) => (
            <div key={label} className="contents">
              <dt className="text-ink-faint">{label}</dt>
              <dd className="min-w-0">{value}</dd>
            </div>
          ))}
        </dl>
      </Section>
      <CommandBlock
        title="Use it in a script"
        text={`with wandb.init() as run:\n    folder = run.use_artifact(${JSON.stringify(name)}).download()`}
      />
      <Section title="Used by" flush>
        {of.usedBy.length === 0 ? (
          <p className="p-4 text-[13px] text-ink-faint">No experiment has used it yet.</p>
        ) : (
          <PlainTable label="Used by" head={['Experiment', 'Project', 'State']}>
            {of.usedBy.map((each) => (
              <tr key={each.id} className="hover:bg-hover">
                <td>
                  <ExperimentLink of={each} />
                </td>
                <td>
                  {each.team}/{each.project}
                </td>
                <td>{each.state}</td>
              </tr>
            ))}
          </PlainTable>
        )}
      </Section>
      {of.links.length > 0 && (
        <Section title="Linked into" flush>
          <PlainTable label="Linked into" head={['Collection', 'Where', 'Aliases']}>
            {of.links.map((link) => (
              <tr key={`${link.team}/${link.project}/${link.collection}`} className="hover:bg-hover">
                <td>
                  <Link
                    to="/$team/$project/artifacts/$type/$collection/$version"
                    params={{ ...link, type: of.type }}
                    className="font-medium hover:underline"
                  >
                    {link.collection}:{link.version}
                  </Link>
                </td>
                <td>
                  {link.isRegistry ? <RegistryLink project={link.project} /> : `${link.team}/${link.project}`}
                </td>
                <td>
                  <Aliases of={link.aliases} />
                </td>
              </tr>
            ))}
          </PlainTable>
        </Section>
      )}
      {metadata.length > 0 && (
        <Section title="Metadata" flush>
          <PlainTable label="Metadata" head={['Key', 'Value']}>
            {metadata.map(([key, value]) => (
              <tr key={key}>
                <td className="max-w-60 truncate text-ink-soft">{key}</td>
                <td className="max-w-xl truncate font-mono text-xs" title={exactValue(value)}>
                  {formatValue(value)}
                </td>
              </tr>
            ))}
          </PlainTable>
        </Section>
      )}
    </>
  )
}

function Files({ of }: { of: ArtifactDetails }) {
  const { path = '', file } = route.useSearch()
  const navigate = route.useNavigate()
  const { team, project, collection, version } = of
  const found = useQuery({
    ...artifactFilesQuery({ team, project, collection, version }, filesShownMax),
    enabled: of.downloadRefusal === null,
  })
  if (of.downloadRefusal !== null) return <EmptyState title="Files are not shown" says={of.downloadRefusal} />
  if (found.isError) return <Problem error={found.error} retry={() => void found.refetch()} />
  if (found.data === undefined) return <SkeletonRows />
  const stored = found.data.items.filter((each) => each.reference === null)
  if (found.data.items.length === 0)
    return <EmptyState title="No files" says="This version holds no files; its metadata may say more." />
  return (
    <>
      {found.data.nextCursor !== null && (
        <p className="text-[13px] text-ink-faint">
          The first {formatCount(filesShownMax)} of {formatCount(of.fileCount)} files.
        </p>
      )}
      {stored.length > 0 && (
        <FileBrowser
          files={stored.map((each) => ({ ...each, md5Hex: each.digest, updatedAt: of.createdAt }))}
          folder={path}
          open={file}
          onFolder={(next) =>
            void navigate({
              search: (before) =>
                present({ ...before, path: next === '' ? undefined : next, file: undefined }),
            })
          }
          onOpen={(next) =>
            void navigate({
              search: (before) => present({ ...before, file: next }),
              replace: file !== undefined,
            })
          }
          downloadRefused={undefined}
        />
      )}
      <References of={found.data.items.filter((each) => each.reference !== null)} />
    </>
  )
}

function LineageTab({ of }: { of: ArtifactDetails }) {
  const { team, project, collection, version } = of
  const found = useQuery(lineageQuery({ team, project, collection, version }))
  if (found.isError) return <Problem error={found.error} retry={() => void found.refetch()} />
  if (found.data === undefined) return <SkeletonRows />
  return (
    <Section title="Lineage" says="What led here, and what came of it" flush>
      <LineageGraph lineage={found.data} here={of.id} />
    </Section>
  )
}
