/** Which connections NetworkPolicies allow: a reading of them as networking.k8s.io/v1 defines it. */
import type { Manifest } from './render.ts'
import { matches, workloadsOf } from './workloads.ts'

interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values: string[] }[]
}

interface PolicyPeer {
  podSelector?: Selector
  namespaceSelector?: Selector
  ipBlock?: { cidr: string; except?: string[] }
}

interface PolicyRule {
  from?: PolicyPeer[]
  to?: PolicyPeer[]
  ports?: { port: number; protocol: string }[]
}

interface PolicySpec {
  podSelector: Selector
  policyTypes: string[]
  ingress?: PolicyRule[]
  egress?: PolicyRule[]
}

/** Somebody who takes part: a pod of ours, or somebody outside by what policies see of them. */
export interface Party {
  name: string
  labels: Record<string, string>
  /** Labels of the namespace; undefined for addresses outside of the cluster. */
  namespace: Record<string, string> | undefined
  /** An address outside of the cluster. */
  address?: string
}

const OURS = { 'kubernetes.io/metadata.name': 'tchat-calling' }

function selects(selector: Selector, labels: Record<string, string>): boolean {
  const expressions = selector.matchExpressions ?? []
  if (expressions.some(({ operator }) => operator !== 'In')) throw new Error('This reading knows "In" alone')
  return (
    matches(selector.matchLabels ?? {}, labels) &&
    expressions.every(({ key, values }) => values.includes(labels[key] ?? ''))
  )
}

function isPeer(peer: PolicyPeer, party: Party): boolean {
  if (peer.ipBlock) {
    if (party.address === undefined) return false
    const { cidr, except = [] } = peer.ipBlock
    return isWithin(party.address, cidr) && !except.some((range) => isWithin(party.address ?? '', range))
  }
  if (party.namespace === undefined) return false
  const inNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector, party.namespace)
    : party.namespace === OURS
  return inNamespace && selects(peer.podSelector ?? {}, party.labels)
}

function isWithin(address: string, range: string): boolean {
  const [base = '', bits = '32'] = range.split('/')
  const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const size = 2 ** (32 - Number(bits))
  return Math.floor(number(address) / size) === Math.floor(number(base) / size)
}

export class Network {
  readonly #policies: PolicySpec[]
  readonly pods: Party[]

  constructor(manifests: Manifest[]) {
    this.#policies = manifests
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .map(({ spec }) => spec as unknown as PolicySpec)
    this.pods = workloadsOf(manifests).map(({ name, labels }) => ({ name, labels, namespace: OURS }))
  }

  /** Whether both ends allow it; who is not ours has no policies. */
  allows(from: Party, to: Party, port: number, protocol = 'TCP'): boolean {
    return this.#side('Egress', from, to, port, protocol) && this.#side('Ingress', to, from, port, protocol)
  }

  #side(type: 'Ingress' | 'Egress', mine: Party, other: Party, port: number, protocol: string): boolean {
    if (mine.namespace !== OURS) return true
    const about = this.#policies.filter(
      ({ podSelector, policyTypes }) => policyTypes.includes(type) && selects(podSelector, mine.labels),
    )
    if (about.length === 0) return true
    const rules = about.flatMap(({ ingress = [], egress = [] }) => (type === 'Ingress' ? ingress : egress))
    return rules.some(({ from, to, ports }) => {
      const peers = type === 'Ingress' ? from : to
      const isPort = ports === undefined || ports.some((entry) => entry.port === port && entry.protocol === protocol)
      return isPort && (peers === undefined || peers.some((peer) => isPeer(peer, other)))
    })
  }
}
