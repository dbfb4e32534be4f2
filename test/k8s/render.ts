/** What kustomize makes of k8s/, as objects. */
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { findRenderer } from '../../dev/test/capabilities.ts'

const root = dirname(dirname(import.meta.dirname))

/** The folders that are applied as they are. */
export const RENDERED = ['k8s/overlays/local', 'k8s/overlays/production', 'k8s/turn'] as const
export type Rendered = (typeof RENDERED)[number]

/** As much of a manifest as relations need; test/k8s/schema.test.ts holds the rest to Kubernetes' own schema. */
export interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  spec?: Record<string, unknown>
  data?: Record<string, string>
  stringData?: Record<string, string>
}

const command = findRenderer(root)

/** Why nothing can be rendered here, if so. */
export const cannotRender =
  command === undefined ? 'neither kubectl 1.27 or newer nor kustomize 5 is on PATH' : undefined

const rendered = new Map<string, Manifest[]>()

/** Rendered once; not to be changed. @throws with kustomize's words where it refuses */
export function render(folder: string): Manifest[] {
  const known = rendered.get(folder)
  if (known !== undefined) return known
  if (command === undefined) throw new Error(cannotRender)
  const [program, verb] = command
  const { status, stdout, stderr } = spawnSync(program, [verb, folder], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${folder}: ${stderr}`)
  const manifests = parseManifests(stdout)
  rendered.set(folder, manifests)
  return manifests
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest)
}
