/** What the server may know of a node: the folder of an attempt. Everything else goes over HTTP. */
export * from './attempt-dir.ts'
export { evict, keepPins, listTrees, unpin } from './datastores/cache.ts'
export { type LocalBlobs, type Materialise, materialise } from './datastores/materialise.ts'
export { type DatastoreSource, httpSource } from './datastores/source.ts'
