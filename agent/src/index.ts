/** What the server may know of a node: the folder of an attempt. Everything else goes over HTTP. */
export * from './attempt-dir.ts'
