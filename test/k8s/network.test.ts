/** NetworkPolicies allow what the architecture needs, and nothing else. */
import { expect } from 'chai'
import { Network, type Party } from './network.ts'
import { cannotRender, render } from './render.ts'

const PORTS = [22, 53, 80, 443, 3478, 5432, 6379, 8081, 8082, 8093, 8404, 9101, 9102, 9103, 26379]

const outside = (name: string, address: string): Party => ({ name, labels: {}, namespace: undefined, address })
const inNamespace = (name: string, labels: Record<string, string> = {}): Party => ({
  name,
  labels,
  namespace: { 'kubernetes.io/metadata.name': name },
})

const MONITORING = inNamespace('monitoring')
const STRANGER = inNamespace('strangers', { 'app.kubernetes.io/name': 'edge' })
const DNS = inNamespace('kube-system', { 'k8s-app': 'kube-dns' })
const INTERNET = outside('internet', '203.0.113.7')
const METADATA = outside('cloud-metadata', '169.254.169.254')
const OUR_STORES = outside('stores-network', '10.20.3.4')
const OTHER_PRIVATE = outside('other-private', '10.9.3.4')

const COMMON = [
  'edge > api 8081',
  'edge > api 9101',
  'edge > gateway 8082',
  'edge > gateway 9102',
  'monitoring > api 9101',
  'monitoring > gateway 9102',
  'monitoring > worker 9103',
  'monitoring > edge 8404',
  // The public origin: anybody, from wherever.
  ...['monitoring', 'strangers', 'kube-system', 'internet', 'cloud-metadata', 'stores-network', 'other-private'].map(
    (name) => `${name} > edge 8093`,
  ),
]

const LOCAL = [
  ...['api', 'gateway', 'worker', 'migrate'].map((name) => `${name} > postgres 5432`),
  ...['api', 'gateway', 'worker'].map((name) => `${name} > redis 6379`),
]

const PRODUCTION = [
  ...['api', 'gateway', 'worker', 'migrate'].map((name) => `${name} > stores-network 5432`),
  ...['api', 'gateway', 'worker'].flatMap((name) => [
    `${name} > stores-network 6379`,
    `${name} > stores-network 26379`,
    // Key sets of the auth service, and receivers of webhooks.
    `${name} > internet 443`,
  ]),
]

function allowedIn(overlay: string): { network: Network; allowed: string[] } {
  const network = new Network(render(overlay))
  const others = [MONITORING, STRANGER, DNS, INTERNET, METADATA, OUR_STORES, OTHER_PRIVATE]
  const parties = [...network.pods, ...others]
  const ours = new Set(network.pods)
  const allowed = parties.flatMap((from) =>
    parties
      .filter((to) => from !== to && (ours.has(from) || ours.has(to)))
      .flatMap((to) => PORTS.filter((port) => network.allows(from, to, port)).map((port) => ({ from, to, port }))),
  )
  return {
    network,
    allowed: allowed
      .filter(({ to, port }) => !(to === DNS && port === 53))
      .map(({ from, to, port }) => `${from.name} > ${to.name} ${port}`),
  }
}

describe('The network policies', () => {
  before(function () {
    if (cannotRender !== undefined) {
      console.log(`skipped: ${cannotRender}`)
      this.skip()
    }
  })

  it('of the local overlay allow what is needed and nothing else', () => {
    expect(allowedIn('k8s/overlays/local').allowed).to.have.members([...COMMON, ...LOCAL])
  })

  it('of production allow what is needed and nothing else', () => {
    expect(allowedIn('k8s/overlays/production').allowed).to.have.members([...COMMON, ...PRODUCTION])
  })

  it('let every pod ask for names, over UDP and TCP, and nobody else than the cluster’s own server', () => {
    for (const overlay of ['k8s/overlays/local', 'k8s/overlays/production']) {
      const { network } = allowedIn(overlay)
      for (const pod of network.pods) {
        for (const protocol of ['UDP', 'TCP']) {
          expect(network.allows(pod, DNS, 53, protocol), pod.name).to.equal(true)
          expect(network.allows(pod, INTERNET, 53, protocol), pod.name).to.equal(false)
        }
      }
    }
  })
})
