/**
 * Requests to addresses that users gave us. The server stands inside networks that they may not reach, so: a name is
 * resolved once, every address it has must be a public one, and the connection goes to the very address that was
 * checked (a second look-up could answer otherwise). What is posted follows no redirect, and its time and size are bounded.
 */
import { lookup } from 'node:dns/promises'
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import { GridError } from '@teamgrid/api'

/** `all`: private addresses are allowed. Else the networks and addresses that are, such as `10.1.0.0/16`. */
export type PrivateAddresses = 'all' | string[]

export type Outbound = ReturnType<typeof createOutbound>

type Resolve = (host: string) => Promise<string[]>

const secondsMax = 10
const answerBytesMax = 64 * 1024
const redirectsMax = 5
const silenceMs = 60_000

/** @param resolve every address of a name; tests hand in their own. */
export function createOutbound(options: {
  allowPrivate: PrivateAddresses
  resolve?: Resolve
  /** Which setting allows private addresses, for the refusal. */
  setting?: string
}) {
  const allowed = networksOf(options.allowPrivate)
  const resolve: Resolve =
    options.resolve ??
    (async (host) => (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address))

  const isAllowed = (address: string) =>
    allowed === 'all' || !contains(reserved, address) || contains(allowed, address)

  /**
   * The url, if it could be asked at all.
   * @throws GridError invalid with a sentence for what is no plain http(s) url, or names a private address outright.
   */
  function checkUrl(given: string): URL {
    const url = URL.canParse(given) ? new URL(given) : undefined
    if (!url || !/^https?:$/.test(url.protocol))
      throw new GridError('invalid', 'This is no web address; it must begin with https:// or http://.')
    if (url.username || url.password)
      throw new GridError('invalid', 'Leave user and password out of the address.')
    const host = hostOf(url)
    if (isIP(host) && !isAllowed(host)) throw privateAddress(host, options.setting)
    if (allowed !== 'all' && !isIP(host) && /(^|\.)localhost\.?$/i.test(host) && !isAllowed('127.0.0.1'))
      throw privateAddress(host, options.setting)
    return url
  }

  /**
   * Posts text and reads the beginning of the answer.
   * @returns the status, whatever it is; a redirect is an answer like any other.
   * @throws GridError invalid for an address that may not be asked, unavailable when nobody answers in time.
   */
  const post = (target: string, message: { headers: Record<string, string>; body: string }) =>
    ask(target, message)

  /** As `post`, asking for what is there. */
  const get = (target: string, headers: Record<string, string> = {}) => ask(target, { headers })

  async function ask(
    target: string,
    message: { headers: Record<string, string>; body?: string },
  ): Promise<{ status: number; text: string }> {
    const url = checkUrl(target)
    const deadline = AbortSignal.timeout(secondsMax * 1000)
    const address = await checkedAddress(hostOf(url), deadline)
    return await send(url, address, message, deadline)
  }

  async function checkedAddress(host: string, deadline: AbortSignal): Promise<string> {
    if (isIP(host)) return host
    const timedOut = new Promise<never>((_, refuse) =>
      deadline.addEventListener('abort', () => refuse(new Error('Resolving the name took too long')), {
        once: true,
      }),
    )
    const addresses = await Promise.race([resolve(host), timedOut]).catch((cause: unknown) => {
      throw new GridError('unavailable', `${host} has no address: ${messageOf(cause)}`, { cause })
    })
    const refused = addresses.find((address) => !isAllowed(address))
    if (refused !== undefined) throw privateAddress(host, options.setting)
    const [first] = addresses
    if (first === undefined) throw new GridError('unavailable', `${host} has no address`)
    return first
  }

  /**
   * Gets a file of any size. Redirects are followed, each to an address that was checked like the first.
   *
   * @returns the answer, whatever its status; the body must be read or destroyed.
   * @throws GridError invalid for an address that may not be asked, unavailable when nobody answers or the line is
   *   silent for a minute (the body then breaks off).
   */
  async function download(
    target: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<{ url: URL; status: number; headers: IncomingHttpHeaders; body: Readable }> {
    let url = checkUrl(target)
    for (let followed = 0; ; followed += 1) {
      const address = await checkedAddress(hostOf(url), AbortSignal.timeout(secondsMax * 1000))
      const answer = await begin(url, address, headers, signal)
      const { statusCode: status = 0, headers: said } = answer
      if (![301, 302, 303, 307, 308].includes(status) || said.location === undefined)
        return { url, status, headers: said, body: answer }
      answer.destroy()
      if (followed >= redirectsMax)
        throw new GridError('invalid', `${target} leads from one address to the next`)
      if (!URL.canParse(said.location, url))
        throw new GridError('invalid', `${url.host} leads to what is no web address`)
      url = checkUrl(new URL(said.location, url).href)
    }
  }

  /**
   * For clients that make their connections themselves: agents that resolve a name once and connect to no address that
   * may not be asked. Names that are addresses are never resolved, so the caller checks urls with `checkUrl` too.
   */
  function agents(): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
    const guarded: LookupFunction = (host, options, found) => {
      checkedAddress(host, AbortSignal.timeout(secondsMax * 1000)).then(
        (address) => {
          const family = isIP(address)
          if (options.all) found(null, [{ address, family }])
          else found(null, address, family)
        },
        (error: Error) => found(error, ''),
      )
    }
    return { httpAgent: new HttpAgent({ lookup: guarded }), httpsAgent: new HttpsAgent({ lookup: guarded }) }
  }

  return { checkUrl, post, get, download, agents }
}

function send(
  url: URL,
  address: string,
  { headers, body }: { headers: Record<string, string>; body?: string },
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  const family = isIP(address)
  return new Promise((done, refuse) => {
    const failed = (cause: unknown) =>
      refuse(
        new GridError(
          'unavailable',
          `${url.host} ${body === undefined ? 'does not answer' : 'did not take it'}: ${messageOf(cause)}`,
          { cause },
        ),
      )
    const outgoing = request(
      url,
      {
        method: body === undefined ? 'GET' : 'POST',
        signal,
        // Kept connections would be shared between targets that were checked at different times.
        agent: false,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
        // The name stays for TLS and the Host header; the address is the one that was checked.
        lookup: (_host, options, found) =>
          options.all
            ? (found as (error: null, list: { address: string; family: number }[]) => void)(null, [
                { address, family },
              ])
            : found(null, address, family),
      },
      (answer) => {
        const chunks: Buffer[] = []
        let size = 0
        const end = () =>
          done({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') })
        answer.on('data', (chunk: Buffer) => {
          chunks.push(chunk.subarray(0, answerBytesMax - size))
          size += chunk.length
          if (size >= answerBytesMax) {
            end()
            answer.destroy()
          }
        })
        answer.on('end', end)
        answer.on('error', failed)
      },
    )
    outgoing.on('error', failed)
    outgoing.end(body)
  })
}

function begin(
  url: URL,
  address: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  const family = isIP(address)
  return new Promise((done, refuse) => {
    const outgoing = request(
      url,
      {
        signal,
        agent: false,
        headers: { 'user-agent': 'teamgrid', ...headers },
        timeout: silenceMs,
        // The name stays for TLS and the Host header; the address is the one that was checked.
        lookup: (_host, options, found) =>
          options.all
            ? (found as (error: null, list: { address: string; family: number }[]) => void)(null, [
                { address, family },
              ])
            : found(null, address, family),
      },
      done,
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error('silent for a minute')))
    outgoing.on('error', (cause) =>
      refuse(new GridError('unavailable', `${url.host} does not answer: ${messageOf(cause)}`, { cause })),
    )
    outgoing.end()
  })
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

function privateAddress(host: string, setting = 'TEAMGRID_PRIVATE_WEBHOOKS'): GridError {
  return new GridError('invalid', `${host} is a private address, which this server does not ask.`, {
    hint: `Whoever runs the server allows some with ${setting}.`,
  })
}

function messageOf(cause: unknown): string {
  if (cause instanceof Error && cause.name === 'TimeoutError') return `no answer within ${secondsMax} seconds`
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, 300)
}

/**
 * Everything that is not an address of a host on the public internet.
 * Sources: IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates).
 */
const reserved = listOf([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  // Addresses of IPv4 in another dress: mapped, translated, tunnelled.
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2001::/23',
  '2002::/16',
  '100::/64',
  '2001:db8::/32',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
])

function contains(list: BlockList, address: string): boolean {
  const mapped = mappedOf(address)
  if (mapped !== undefined) return list.check(mapped, 'ipv4')
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** `::ffff:7f00:1` and `::ffff:127.0.0.1` are 127.0.0.1. */
function mappedOf(address: string): string | undefined {
  const rest = /^::ffff:(.+)$/i.exec(address)?.[1]
  if (rest === undefined) return undefined
  if (isIP(rest) === 4) return rest
  const [high, low] = rest.split(':').map((part) => parseInt(part, 16))
  return high === undefined || low === undefined
    ? undefined
    : [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** @throws GridError invalid for what is neither an address nor a network. */
function networksOf(given: PrivateAddresses): BlockList | 'all' {
  return given === 'all' ? 'all' : listOf(given)
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address)
    const width = bits === undefined ? (family === 6 ? 128 : 32) : Number(bits)
    if (family === 0 || !Number.isInteger(width) || width < 0 || width > (family === 6 ? 128 : 32))
      throw new GridError('invalid', `"${network}" is neither an address nor a network such as 10.1.0.0/16.`)
    list.addSubnet(address, width, family === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}

/**
 * What TEAMGRID_PRIVATE_WEBHOOKS and its like say: nothing, `true` or `all`, or networks separated by commas.
 * @throws GridError invalid naming the setting.
 */
export function readPrivateAddresses(
  given: string | undefined,
  setting = 'TEAMGRID_PRIVATE_WEBHOOKS',
): PrivateAddresses {
  if (given === undefined || /^(false|no|off|none)$/i.test(given)) return []
  if (/^(true|yes|on|all)$/i.test(given)) return 'all'
  const networks = given.split(',').map((each) => each.trim())
  try {
    listOf(networks)
  } catch (cause) {
    throw new GridError('invalid', `${setting}: ${(cause as Error).message}`, { cause })
  }
  return networks
}
