/** Where webhooks go: endpoints with their secrets and the events that they want, read from three variables. */
import { isIP } from 'node:net'
import { WEBHOOK_TYPES, type WebhookType } from '../protocol/webhooks.ts'
import { ConfigError, type Environment } from './environment.ts'
import { isPublicAddress } from './public-address.ts'

export interface WebhookEndpoint {
  /** Names it in the database, logs and metrics: a URL may change, and may hold a secret. */
  name: string
  url: string
  /** Keys of the signatures; all of them sign, so that a receiver may change from one to the next. */
  secrets: Buffer[]
  types: WebhookType[]
}

/** Standard Webhooks: a secret has 24 to 64 bytes. */
const SECRET_BYTES = { min: 24, max: 64 }

type Settings = Pick<
  Environment,
  'WEBHOOK_URLS' | 'WEBHOOK_SECRETS' | 'WEBHOOK_EVENTS' | 'WEBHOOK_ALLOW_PRIVATE' | 'NODE_ENV'
>

/**
 * Every endpoint once. `needsSecrets` is true for the process that signs.
 * @throws ConfigError for what cannot work; it names the endpoint, never a URL or a secret
 */
export function webhookEndpoints(e: Settings, needsSecrets: boolean): WebhookEndpoint[] {
  const named = e.WEBHOOK_URLS.map((entry) => {
    const [, given, url = ''] = /^(?:([^=/]+)=)?(https?:.+)$/i.exec(entry) ?? []
    return { name: (given ?? new URL(url).host).toLowerCase(), url: acceptUrl(url, e) }
  })
  const names = named.map(({ name }) => name)
  if (new Set(names).size < names.length)
    throw new ConfigError('WEBHOOK_URLS has two endpoints of one name: write them as name=https://….')
  const secrets = entriesFor('WEBHOOK_SECRETS', e.WEBHOOK_SECRETS, names)
  const types = entriesFor('WEBHOOK_EVENTS', e.WEBHOOK_EVENTS, names)
  return named.map(({ name, url }) => ({
    name,
    url,
    secrets: readSecrets(name, secrets(name), needsSecrets),
    types: readTypes(types(name)),
  }))
}

function acceptUrl(text: string, e: Settings): string {
  const url = new URL(text)
  if (url.username !== '' || url.password !== '')
    throw new ConfigError('WEBHOOK_URLS must have no user name or password: receivers check the signature.')
  if (e.WEBHOOK_ALLOW_PRIVATE) return url.href
  if (e.NODE_ENV === 'production' && url.protocol !== 'https:')
    throw new ConfigError('WEBHOOK_URLS must be https:// in production, unless WEBHOOK_ALLOW_PRIVATE is true.')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isPublicAddress(host))
    throw new ConfigError('WEBHOOK_URLS must have public addresses, unless WEBHOOK_ALLOW_PRIVATE is true.')
  return url.href
}

/** `name=a|b` is for that endpoint, `a|b` for all that have no entry of their own. */
function entriesFor(variable: string, entries: string[], names: string[]): (name: string) => string[] {
  const byName = new Map<string, string[]>()
  for (const entry of entries) {
    const [, given, values = ''] = /^(?:([^=|]+)=)?(.*)$/.exec(entry) ?? []
    // Padding of base64 is no name.
    const isNamed = given !== undefined && !given.startsWith('whsec_')
    const name = isNamed ? given.toLowerCase() : ''
    if (isNamed && !names.includes(name))
      throw new ConfigError(`${variable} names an endpoint that WEBHOOK_URLS does not have.`)
    byName.set(name, [...(byName.get(name) ?? []), ...(isNamed ? values : entry).split('|')])
  }
  return (name) => byName.get(name) ?? byName.get('') ?? []
}

function readSecrets(name: string, texts: string[], needed: boolean): Buffer[] {
  if (needed && texts.length === 0) throw new ConfigError(`WEBHOOK_SECRETS must have a secret for ${name}.`)
  return texts.map((text) => {
    const key = Buffer.from(text.slice('whsec_'.length), 'base64')
    if (key.length < SECRET_BYTES.min || key.length > SECRET_BYTES.max)
      throw new ConfigError(`WEBHOOK_SECRETS must be whsec_ and the base64 of 24 to 64 bytes each; not so for ${name}.`)
    return key
  })
}

function readTypes(texts: string[]): WebhookType[] {
  const unknown = texts.find((text) => !WEBHOOK_TYPES.some((type) => type === text))
  if (unknown !== undefined) throw new ConfigError(`WEBHOOK_EVENTS must be of ${WEBHOOK_TYPES.join(', ')}.`)
  return texts.length === 0 ? [...WEBHOOK_TYPES] : WEBHOOK_TYPES.filter((type) => texts.includes(type))
}
