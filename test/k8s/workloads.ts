/** The pods that manifests make, and what they are given. */
import type { Manifest } from './render.ts'

type Labels = Record<string, string>

export interface Probe {
  httpGet?: { path: string; port: string | number }
  tcpSocket?: { port: string | number }
  exec?: { command: string[] }
}

interface KeyRef {
  name: string
  key: string
  optional?: boolean
}

export interface EnvEntry {
  name: string
  value?: string
  valueFrom?: { secretKeyRef?: KeyRef; configMapKeyRef?: KeyRef; fieldRef?: { fieldPath: string } }
}

export interface ContainerSpec {
  name: string
  image: string
  args?: string[]
  command?: string[]
  ports?: { name: string; containerPort: number; protocol?: string }[]
  env?: EnvEntry[]
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[]
  volumeMounts?: { name: string; mountPath: string }[]
  lifecycle?: { preStop?: { sleep?: { seconds: number } } }
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
  resources: { requests: Record<string, string>; limits: Record<string, string> }
  securityContext: {
    allowPrivilegeEscalation: boolean
    readOnlyRootFilesystem: boolean
    privileged?: boolean
    capabilities: { drop: string[]; add?: string[] }
  }
}

export interface PodSpec {
  containers: ContainerSpec[]
  initContainers?: ContainerSpec[]
  terminationGracePeriodSeconds?: number
  serviceAccountName?: string
  automountServiceAccountToken?: boolean
  hostNetwork?: boolean
  securityContext: { runAsNonRoot: boolean; runAsUser: number; seccompProfile: { type: string } }
  topologySpreadConstraints?: { topologyKey: string; labelSelector: { matchLabels: Labels } }[]
  volumes?: {
    name: string
    configMap?: { name: string }
    secret?: { secretName: string; items: { key: string }[] }
    emptyDir?: object
  }[]
}

export interface Workload {
  kind: string
  name: string
  /** Undefined where an autoscaler decides, or where it is one by nature. */
  replicas: number | undefined
  labels: Labels
  selector: Labels | undefined
  pod: PodSpec
  containers: ContainerSpec[]
}

const KINDS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job'])

/** Everything that makes pods. */
export function workloadsOf(manifests: Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => KINDS.has(kind))
    .map(({ kind, metadata, spec }) => {
      const found = spec as {
        replicas?: number
        selector?: { matchLabels: Labels }
        template: { metadata: { labels: Labels }; spec: PodSpec }
      }
      const pod = found.template.spec
      return {
        kind,
        name: metadata.name,
        replicas: found.replicas,
        labels: found.template.metadata.labels,
        selector: found.selector?.matchLabels,
        pod,
        containers: [...(pod.initContainers ?? []), ...pod.containers],
      }
    })
}

export function workload(manifests: Manifest[], name: string): Workload {
  const found = workloadsOf(manifests).find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`No workload is called ${name}`)
  return found
}

export function container(manifests: Manifest[], owner: string, name: string = owner): ContainerSpec {
  const found = workload(manifests, owner).containers.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`${owner} has no container ${name}`)
  return found
}

export function manifest(manifests: Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((candidate) => candidate.kind === kind && candidate.metadata.name === name)
  if (found === undefined) throw new Error(`There is no ${kind} ${name}`)
  return found
}

/** A manifest's spec as the reader of it knows it. */
export const specOf = <T>({ spec }: Manifest): T => spec as T

export const ofKind = (manifests: Manifest[], kind: string) => manifests.filter((candidate) => candidate.kind === kind)

export function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value)
}

/** `secrets` has what `name/key` stands for; a reference that is optional may be missing. */
export function environmentOf(
  { env = [], envFrom = [] }: ContainerSpec,
  manifests: Manifest[],
  secrets: Record<string, string>,
): Record<string, string> {
  const result: Record<string, string> = {}
  for (const { configMapRef } of envFrom)
    if (configMapRef) Object.assign(result, manifest(manifests, 'ConfigMap', configMapRef.name).data)
  for (const { name, value, valueFrom } of env) {
    const secret = valueFrom?.secretKeyRef
    if (value !== undefined) result[name] = value.replace(/\$\((\w+)\)/g, (_all, other: string) => result[other] ?? '')
    else if (valueFrom?.fieldRef) result[name] = FIELDS[valueFrom.fieldRef.fieldPath] ?? ''
    else if (secret) {
      const found = secrets[`${secret.name}/${secret.key}`]
      if (found !== undefined) result[name] = found
      else if (!secret.optional) throw new Error(`${name} comes from ${secret.name}/${secret.key}, which nobody makes`)
    }
  }
  return result
}

/** What Kubernetes puts there. */
const FIELDS: Record<string, string> = {
  'metadata.name': 'pod-1',
  'metadata.namespace': 'tchat-calling',
  'status.hostIP': '192.0.2.1',
}
