/** Holds every response that a test gets to the published OpenAPI document. */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'

type Node = Record<string, unknown>

interface ResponseObject {
  headers?: Record<string, Node>
  content?: Record<string, Node>
}

export interface Operation {
  method: string
  path: string
  responses: Record<string, Node>
}

export interface Answered {
  method: string
  path: string
  status: number
  headers: Headers
  body: unknown
}

const document = parse(readFileSync(new URL('../../api/openapi.yaml', import.meta.url), 'utf8')) as Node
const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'options', 'head', 'trace']

/** Tolerant clients ignore unknown fields, but a field that we send and do not document is a fault of ours. */
const ajv = new Ajv2020({ strict: false, allErrors: true })
// The package is CommonJS: its function is the `default` of what an ES module sees.
;(addFormats as unknown as { default: (ajv: Ajv2020) => void }).default(ajv)
ajv.addSchema(closed(document) as Node, 'openapi')

/** Every operation of the document. */
export function operations(): Operation[] {
  return Object.entries(document.paths as Record<string, Node>).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => METHODS.includes(method))
      .map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        responses: (operation as Node).responses as Record<string, Node>,
      })),
  )
}

/** The document as it is published. */
export function openApiDocument(): Node {
  return document
}

/** @throws naming what the document does not say about this response */
export function assertDocumented(answered: Answered): void {
  const { method, status } = answered
  const [path = ''] = answered.path.split('?')
  if (method === 'OPTIONS' || method === 'HEAD' || !/^\/(api|health)(\/|$)/.test(path)) return
  const where = `${method} ${path} answered ${status}`
  const known = operations().filter((operation) => matches(operation.path, path))
  const exact = known.filter((operation) => !operation.path.includes('{'))
  const candidates = exact.length > 0 ? exact : known
  if (candidates.length === 0) return assertEnvelope(where, answered, [404])
  const operation = candidates.find((candidate) => candidate.method === method)
  if (operation === undefined) return assertEnvelope(where, answered, [405])
  const found = operation.responses[String(status)]
  if (found === undefined) throw new Error(`${where}, which the OpenAPI document does not know: ${show(answered.body)}`)
  const pointer = `openapi#/paths/${escaped(operation.path)}/${method.toLowerCase()}/responses/${status}`
  const [response, at] = resolve(found, pointer)
  for (const [name, header] of Object.entries((response as ResponseObject).headers ?? {}))
    assertHeader(where, answered.headers.get(name), name, resolve(header, '')[0])
  assertValid(where, answered.body, { $ref: `${at}/content/application~1json/schema` })
}

/** The errors of an example or any other value against a schema of the document's components. */
export function assertMatches(name: string, value: unknown): void {
  assertValid(name, value, { $ref: `openapi#/components/schemas/${name}` })
}

/** Against the schema at a JSON pointer into the document, for instance of a response that has examples. */
export function assertMatchesAt(pointer: string, value: unknown): void {
  assertValid(pointer, value, { $ref: `openapi#${pointer}` })
}

function assertEnvelope(where: string, { status, body }: Answered, expected: number[]): void {
  if (!expected.includes(status)) throw new Error(`${where} instead of ${expected.join(' or ')}: ${show(body)}`)
  assertValid(where, body, { $ref: 'openapi#/components/schemas/ErrorEnvelope' })
}

function assertHeader(where: string, value: string | null, name: string, header: Node): void {
  if (value === null && header.required !== true) return
  if (value === null) throw new Error(`${where} without ${name}`)
  assertValid(`${where}, ${name}`, value, header.schema as Node)
}

const compiled = new Map<string, ValidateFunction>()

function assertValid(where: string, value: unknown, schema: Node): void {
  const key = JSON.stringify(schema)
  const rooted = key.includes('"#/') ? (JSON.parse(key.replaceAll('"#/', '"openapi#/')) as Node) : schema
  const validate = compiled.get(key) ?? ajv.compile(rooted)
  compiled.set(key, validate)
  if (!validate(value))
    throw new Error(`${where}, but not as documented: ${ajv.errorsText(validate.errors)} in ${show(value)}`)
}

function resolve(node: Node, pointer: string): [Node, string] {
  const ref = node.$ref
  if (typeof ref !== 'string') return [node, pointer]
  const target = ref
    .slice(2)
    .split('/')
    .reduce<unknown>((at, step) => (at as Node)[step], document)
  return [target as Node, `openapi${ref}`]
}

function matches(template: string, path: string): boolean {
  return new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}/?$`).test(path)
}

function escaped(path: string): string {
  return encodeURIComponent(path.replaceAll('~', '~0').replaceAll('/', '~1'))
}

function show(value: unknown): string {
  return JSON.stringify(value)
}

/** Every object schema that does not speak of further members forbids them. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const copy = Object.fromEntries(Object.entries(node).map(([key, member]) => [key, closed(member)]))
  const isObjectSchema = copy.type === 'object' && copy.properties !== undefined
  return isObjectSchema && copy.additionalProperties === undefined ? { ...copy, additionalProperties: false } : copy
}
