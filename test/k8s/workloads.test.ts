/** What in the manifests must fit together for pods to start, be found, be watched and end in time. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { Registry } from 'prom-client'
import { parse } from 'yaml'
import { loadConfig } from '../../core/platform/config.ts'
import { VARIABLES } from '../../core/platform/environment.ts'
import { startProbeServer } from '../../core/platform/probe-server.ts'
import { findTool, HAPROXY } from '../../dev/cluster/tools.ts'
import { EDGE_VARIABLES, renderForContainers } from '../../edge/container-settings.ts'
import { createGatewayMetrics } from '../../gateway/gateway-metrics.ts'
import { cannotRender, type Manifest, parseManifests, render } from './render.ts'
import { container, environmentOf, manifest, matches, ofKind, specOf, workload, workloadsOf } from './workloads.ts'

const root = dirname(dirname(import.meta.dirname))
const OVERLAYS = ['k8s/overlays/local', 'k8s/overlays/production'] as const
const ROLES = ['api', 'gateway', 'worker'] as const
/** Beside the drain window: 1.1 s for the edge to see it, 2 s for Redis, 2 s for Postgres, 0.5 s for sockets. */
const REST_OF_A_SHUTDOWN_SECONDS = 6
/** For the kubelet, and the end of a process after its last step. */
const SPARE_SECONDS = 5

/** What docs/deployment.md tells to put into the secrets, by `secret/key`. */
const SECRETS: Record<string, string> = {
  'stores/database-url': 'postgres://tchat:secret@postgres:5432/tchat?sslmode=verify-full',
  'stores/redis-url': 'rediss://:secret@redis:6379',
  'tokens/jwt-secret': 'x'.repeat(32),
  'turn/turn-secret': 'y'.repeat(32),
}

interface Ported {
  ports: { name: string }[]
}

interface Budget {
  selector: { matchLabels: Record<string, string> }
}

for (const overlay of OVERLAYS) {
  describe(overlay, () => {
    let manifests: Manifest[] = []

    before(function () {
      if (cannotRender !== undefined) {
        console.log(`skipped: ${cannotRender}`)
        this.skip()
      }
      manifests = render(overlay)
    })

    it('has all parts, each chosen by its own labels alone', () => {
      const workloads = workloadsOf(manifests)
      expect(workloads.map(({ name }) => name)).to.include.members(['api', 'edge', 'gateway', 'migrate', 'worker'])
      for (const { name, selector, labels } of workloads) {
        if (selector === undefined) continue
        expect(matches(selector, labels), name).to.equal(true)
        expect(workloads.filter((other) => matches(selector, other.labels)).map((other) => other.name)).to.deep.equal([
          name,
        ])
      }
    })

    it('has Services that choose pods of one kind, by ports that these have', () => {
      const services = ofKind(manifests, 'Service')
      expect(services.length).to.be.above(4)
      for (const { metadata, spec } of services) {
        const { selector, ports } = spec as { selector: Record<string, string>; ports: { targetPort: string }[] }
        const chosen = workloadsOf(manifests).filter(({ labels }) => matches(selector, labels))
        expect(chosen, metadata.name).to.have.length(1)
        const offered = chosen[0]?.pod.containers.flatMap((spec) => spec.ports ?? []).map(({ name }) => name)
        for (const { targetPort } of ports) expect(offered, metadata.name).to.include(targetPort)
      }
    })

    it('names every address of APIs and gateways, ready or not, where the edge looks for them', () => {
      const env = environmentOf(container(manifests, 'edge', 'edge-config'), manifests, {})
      for (const name of ['EDGE_API_HOST', 'EDGE_GATEWAY_HOST']) {
        const [service, namespace, ...domain] = env[name]?.split('.') ?? []
        expect(domain.join('.')).to.equal('svc.cluster.local')
        expect(namespace).to.equal(manifest(manifests, 'Service', service ?? '').metadata.namespace)
        const { spec } = manifest(manifests, 'Service', service ?? '')
        expect(spec).to.include({ clusterIP: 'None', publishNotReadyAddresses: true })
      }
    })

    for (const role of ROLES) {
      it(`gives ${role} an environment that it starts with, and no variable that it does not know`, () => {
        const spec = container(manifests, role)
        const env = environmentOf(spec, manifests, SECRETS)

        expect(Object.keys(env).filter((name) => !(name in VARIABLES))).to.deep.equal([])
        const config = loadConfig(role, env)
        expect(config.production).to.equal(true)
        expect(config.http.bindAddress).to.equal('0.0.0.0')
        const port = (name: string) => spec.ports?.find((candidate) => candidate.name === name)?.containerPort
        expect(port('internal')).to.equal(config.http.metricsPort)
        if (role !== 'worker') expect(port('http')).to.equal(config.http.port)
        expect(spec.args).to.deep.equal([role])
      })

      it(`gives ${role} the time to shut down`, () => {
        const { pod } = workload(manifests, role)
        const { shutdownTimeoutMs } = loadConfig(
          role,
          environmentOf(container(manifests, role), manifests, SECRETS),
        ).http
        const pause = container(manifests, role).lifecycle?.preStop?.sleep?.seconds ?? 0
        expect(pod.terminationGracePeriodSeconds).to.be.at.least(pause + shutdownTimeoutMs / 1000 + SPARE_SECONDS)
      })

      it(`asks ${role} for what its internal listener answers`, async () => {
        const probes = await startProbeServer({
          port: 0,
          bindAddress: '127.0.0.1',
          registry: new Registry(),
          readiness: () => 'ready',
        })
        try {
          const spec = container(manifests, role)
          for (const probe of [spec.startupProbe, spec.livenessProbe, spec.readinessProbe]) {
            expect(probe?.httpGet?.port).to.equal('internal')
            const response = await fetch(`http://127.0.0.1:${probes.port}${probe?.httpGet?.path}`)
            expect(response.status, probe?.httpGet?.path).to.equal(200)
          }
          expect(spec.livenessProbe?.httpGet?.path).not.to.equal(spec.readinessProbe?.httpGet?.path)
        } finally {
          await probes.close()
        }
      })
    }

    it('leaves a gateway time for its whole drain within its shutdown', () => {
      const env = environmentOf(container(manifests, 'gateway'), manifests, SECRETS)
      const { http, signaling } = loadConfig('gateway', env)
      expect(http.shutdownTimeoutMs / 1000).to.be.at.least(signaling.drainWindowMs / 1000 + REST_OF_A_SHUTDOWN_SECONDS)
    })

    it('runs migrations with nothing but the database', () => {
      const env = environmentOf(container(manifests, 'migrate'), manifests, SECRETS)
      expect(container(manifests, 'migrate').args).to.deep.equal(['migrate'])
      const { url, tls } = loadConfig('migrate', env).postgres
      expect(`${url}?sslmode=verify-full`).to.equal(SECRETS['stores/database-url'])
      expect(tls).to.deep.equal({ rejectUnauthorized: true })
      expect(env).not.to.have.any.keys('JWT_SECRET', 'TURN_SECRET', 'REDIS_URL')
    })

    it('gives the edge a configuration that HAProxy takes, and the time to drain', async function () {
      this.timeout(60_000)
      const spec = container(manifests, 'edge', 'edge-config')
      const env = environmentOf(spec, manifests, {})
      expect(Object.keys(env).filter((name) => name !== 'POD_NAMESPACE' && !(name in EDGE_VARIABLES))).to.deep.equal([])
      const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-edge-'))
      try {
        const template = readFileSync(join(root, 'edge/haproxy.cfg.template'), 'utf8')
        const config = renderForContainers(template, env)
        const file = join(folder, 'haproxy.cfg')
        writeFileSync(file, config)
        const haproxy = await findTool(HAPROXY)
        const checked = spawnSync(haproxy.path, ['-c', '-f', file], { env: { ...process.env, ...haproxy.env } })
        expect(checked.status, String(checked.stderr)).to.equal(0)

        const ports = container(manifests, 'edge', 'haproxy').ports?.map(({ containerPort }) => containerPort)
        expect(ports?.map((port) => `bind :${port}`)).to.deep.equal(
          config.match(/^ *bind .*$/gm)?.map((line) => line.trim()),
        )
        for (const probe of [
          container(manifests, 'edge', 'haproxy').livenessProbe,
          container(manifests, 'edge', 'haproxy').readinessProbe,
        ]) {
          expect(config).to.include(`{ path ${probe?.httpGet?.path} }`)
          expect(probe?.httpGet?.port).to.equal('internal')
        }
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
      const pause = container(manifests, 'edge', 'haproxy').lifecycle?.preStop?.sleep?.seconds ?? 0
      const { terminationGracePeriodSeconds } = workload(manifests, 'edge').pod
      expect(terminationGracePeriodSeconds).to.be.at.least(pause + Number(env.EDGE_DRAIN_SECONDS) + SPARE_SECONDS)
      const mounts = (name: string) => container(manifests, 'edge', name).volumeMounts
      expect(mounts('haproxy')?.map(({ mountPath }) => mountPath)).to.deep.equal(['/config'])
      expect(spec.args?.[1]).to.equal(container(manifests, 'edge', 'haproxy').args?.at(-1))
    })

    it('mounts what is there: every reference to a ConfigMap, a Secret or a volume', () => {
      const maps = new Set(ofKind(manifests, 'ConfigMap').map(({ metadata }) => metadata.name))
      const known = new Set(Object.keys(secretsOf(overlay)))
      for (const { name, pod, containers } of workloadsOf(manifests)) {
        const volumes = new Map((pod.volumes ?? []).map((volume) => [volume.name, volume]))
        for (const { configMap, secret } of volumes.values()) {
          if (configMap) expect(maps, name).to.include(configMap.name)
          for (const { key } of secret?.items ?? []) expect(known, name).to.include(`${secret?.secretName}/${key}`)
        }
        for (const { envFrom = [], env = [], volumeMounts = [] } of containers) {
          for (const { configMapRef } of envFrom) expect(maps, name).to.include(configMapRef?.name)
          for (const { valueFrom } of env) {
            const reference = valueFrom?.secretKeyRef
            if (reference && !reference.optional) expect(known, name).to.include(`${reference.name}/${reference.key}`)
          }
          const claimed = name === 'postgres' ? ['data'] : []
          for (const mount of volumeMounts) expect([...volumes.keys(), ...claimed], name).to.include(mount.name)
        }
      }
    })

    it('keeps to the strictest of Kubernetes’ pod security levels', () => {
      const namespace = manifest(manifests, 'Namespace', 'tchat-calling')
      expect(namespace.metadata.labels).to.include({ 'pod-security.kubernetes.io/enforce': 'restricted' })
      for (const { name, pod, containers } of workloadsOf(manifests)) {
        expect(pod.securityContext, name).to.deep.include({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        })
        expect(pod.securityContext.runAsUser, name).to.be.above(0)
        expect(pod.hostNetwork ?? false, name).to.equal(false)
        expect(pod.automountServiceAccountToken, name).to.equal(false)
        for (const { securityContext, resources } of containers) {
          expect(securityContext, name).to.deep.equal({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
          expect(resources.limits.memory, name).to.be.a('string')
          expect(resources.requests, name).to.have.keys('cpu', 'memory')
        }
      }
    })

    it('spreads each part over nodes, and lets one pod of it go at a time', () => {
      for (const name of ['api', 'edge', 'gateway', 'worker']) {
        const { labels, pod } = workload(manifests, name)
        const keys = pod.topologySpreadConstraints?.filter(({ labelSelector }) =>
          matches(labelSelector.matchLabels, labels),
        )
        expect(keys?.map(({ topologyKey }) => topologyKey)).to.include('kubernetes.io/hostname')
        const budgets = ofKind(manifests, 'PodDisruptionBudget').filter((found) =>
          matches(specOf<Budget>(found).selector.matchLabels, labels),
        )
        expect(
          budgets.map(({ spec }) => spec?.maxUnavailable),
          name,
        ).to.deep.equal([1])
      }
    })
  })
}

describe('k8s/overlays/production', () => {
  let manifests: Manifest[] = []

  before(function () {
    if (cannotRender !== undefined) this.skip()
    manifests = render('k8s/overlays/production')
  })

  it('scales what is there, within the places of the edge, and says nothing else about numbers', () => {
    const env = environmentOf(container(manifests, 'edge', 'edge-config'), manifests, {})
    const places: Record<string, number> = { api: Number(env.EDGE_API_SLOTS), gateway: Number(env.EDGE_GATEWAY_SLOTS) }
    const scalers = ofKind(manifests, 'HorizontalPodAutoscaler')
    expect(scalers.map(({ metadata }) => metadata.name)).to.have.members(['api', 'gateway'])
    for (const { spec } of scalers) {
      const { scaleTargetRef, minReplicas, maxReplicas } = spec as {
        scaleTargetRef: { kind: string; name: string }
        minReplicas: number
        maxReplicas: number
      }
      const target = workload(manifests, scaleTargetRef.name)
      expect(target.kind).to.equal(scaleTargetRef.kind)
      expect(target.replicas, 'a number here would undo the autoscaler at each apply').to.equal(undefined)
      expect(minReplicas).to.be.at.least(2)
      expect(maxReplicas).to.be.at.most(places[scaleTargetRef.name] ?? 0)
    }
  })

  it('scales gateways by a metric that they have and the adapter hands on', () => {
    const values = parse(
      readFileSync(join(root, 'k8s/components/monitoring/prometheus-adapter-values.yaml'), 'utf8'),
    ) as {
      rules: { custom: { seriesQuery: string; name: { as: string } }[] }
    }
    const { metrics } = manifest(manifests, 'HorizontalPodAutoscaler', 'gateway').spec as {
      metrics: { type: string; pods?: { metric: { name: string } } }[]
    }
    const wanted = metrics.flatMap(({ pods }) => pods?.metric.name ?? [])
    const registry = new Registry()
    createGatewayMetrics(registry)

    expect(metrics.map(({ type }) => type)).to.have.members(['Pods', 'Resource'])
    expect(wanted).to.have.length(1)
    for (const name of wanted) {
      const rule = values.rules.custom.find((candidate) => candidate.name.as === name)
      const series = /^(\w+)\{/.exec(rule?.seriesQuery ?? '')?.[1] ?? ''
      expect(registry.getSingleMetric(series), series).not.to.equal(undefined)
    }
  })

  it('has every process scraped, under the job names of rules and dashboards', () => {
    const services = ofKind(manifests, 'Service')
    const jobs = ofKind(manifests, 'ServiceMonitor').flatMap(({ spec }) => {
      const { selector, endpoints, jobLabel } = spec as {
        selector: { matchLabels: Record<string, string> }
        endpoints: { port: string }[]
        jobLabel: string
      }
      return services
        .filter(({ metadata }) => matches(selector.matchLabels, metadata.labels ?? {}))
        .filter((found) => specOf<Ported>(found).ports.some(({ name }) => name === endpoints[0]?.port))
        .map(({ metadata }) => metadata.labels?.[jobLabel])
    })
    expect(jobs).to.have.members(['api', 'gateway', 'worker', 'edge'])
  })

  it('holds no more connections to Postgres than its settings say', () => {
    const { poolMax } = loadConfig('api', environmentOf(container(manifests, 'api'), manifests, SECRETS)).postgres
    const most = (name: string) => Number(manifest(manifests, 'HorizontalPodAutoscaler', name).spec?.maxReplicas)
    const processes = most('api') + most('gateway') + (workload(manifests, 'worker').replicas ?? 1)
    const text = readFileSync(join(root, 'k8s/overlays/production/settings.env'), 'utf8')
    expect(text).to.include(`hold ${processes * poolMax} connections`)
  })

  it('offers Redis by Sentinel in words that the processes know and take, on ports that they may reach', () => {
    const text = readFileSync(join(root, 'k8s/overlays/production/settings.env'), 'utf8')
    const offered = Object.fromEntries(
      [...text.matchAll(/^# ([A-Z_]+)=(\S+)$/gm)].map(([, name = '', value = '']) => [name, value]),
    )
    expect(offered).to.have.keys('REDIS_SENTINELS', 'REDIS_SENTINEL_NAME')
    const known = readFileSync(join(root, '.env.example'), 'utf8')
    for (const name of Object.keys(offered)) expect(known).to.match(new RegExp(`^${name}=`, 'm'))
    for (const role of ROLES) {
      const env = environmentOf(container(manifests, role), manifests, SECRETS)
      expect(env.REDIS_SENTINELS).to.equal('none')
      expect(() => loadConfig(role, { ...env, ...offered })).not.to.throw()
      expect(() => loadConfig(role, { ...env, ...offered, REDIS_SENTINELS: 'sentinel-1' })).to.throw('REDIS_SENTINELS')
    }
    const policy = JSON.stringify(manifest(manifests, 'NetworkPolicy', 'to-redis'))
    for (const address of (offered.REDIS_SENTINELS ?? '').split(','))
      expect(policy).to.include(`"port":${address.split(':')[1]},`)
  })

  it('leads its host to the edge over TLS, for the address that clients are told', () => {
    const { spec } = manifest(manifests, 'Ingress', 'edge')
    const { tls, rules } = spec as {
      tls: { hosts: string[]; secretName: string }[]
      rules: {
        host: string
        http: { paths: { backend: { service: { name: string; port: { name: string } } } }[] }
      }[]
    }
    const { service } = rules[0]?.http.paths[0]?.backend ?? {}
    const { ports } = specOf<Ported>(manifest(manifests, 'Service', service?.name ?? ''))
    expect(ports.map(({ name }) => name)).to.include(service?.port.name)
    const { publicUrl } = loadConfig('api', environmentOf(container(manifests, 'api'), manifests, SECRETS)).http
    expect(publicUrl).to.equal(`https://${rules[0]?.host}`)
    expect(tls[0]?.hosts).to.deep.equal([rules[0]?.host])
  })

  it('has no ingress that logs what is asked for: the query of a handshake carries a token', () => {
    const ingresses = manifests.filter(({ kind }) => kind === 'Ingress')
    expect(ingresses.length).to.be.above(0)
    for (const { metadata } of ingresses)
      expect((metadata as { annotations?: Record<string, string> }).annotations).to.include({
        'nginx.ingress.kubernetes.io/enable-access-log': 'false',
      })
  })
})

/** Every `secret/key` that an operator of this overlay is told to make. */
function secretsOf(overlay: string): Record<string, string> {
  if (overlay.endsWith('production')) return SECRETS
  const printed = execFileSync(join(root, 'k8s/overlays/local/make-secrets.sh'), { encoding: 'utf8' })
  return Object.fromEntries(
    parseManifests(printed).flatMap(({ metadata, stringData = {} }) =>
      Object.entries(stringData).map(([key, value]) => [`${metadata.name}/${key}`, value]),
    ),
  )
}
