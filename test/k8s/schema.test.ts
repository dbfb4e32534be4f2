/**
 * Every manifest against Kubernetes' schemas, as the packages kubernetes-models (1.32's OpenAPI) and
 * @kubernetes-models/prometheus-operator have them: by the compiler for names and types, unknown fields included, and
 * by their validators for values.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { cannotRender, type Manifest, parseManifests, RENDERED, render } from './render.ts'
import { manifest, ofKind, specOf } from './workloads.ts'

const root = dirname(dirname(import.meta.dirname))

interface Claiming {
  volumeClaimTemplates: { spec: { storageClassName: string } }[]
}

const packageOf = (apiVersion: string) =>
  apiVersion.startsWith('monitoring.coreos.com/')
    ? `@kubernetes-models/prometheus-operator/${apiVersion}`
    : `kubernetes-models/${apiVersion}`

/** What the compiler has against the manifests, a line for each fault. */
function faultsOf(manifests: Manifest[]): string[] {
  // In the checkout, as the compiler looks for packages from there upwards; hidden from every other tool.
  mkdirSync(join(root, '.tools'), { recursive: true })
  const folder = mkdtempSync(join(root, '.tools/k8s-schema-'))
  try {
    const types = manifests.map(
      ({ apiVersion, kind }, index) => `import type { I${kind} as T${index} } from '${packageOf(apiVersion)}'`,
    )
    // A literal with a declared type: only there the compiler minds a field too many.
    const values = manifests.map((manifest, index) => `export const m${index}: T${index} = ${JSON.stringify(manifest)}`)
    const file = join(folder, 'manifests.ts')
    writeFileSync(file, [...types, ...values].join('\n'))
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler']
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = spawnSync(process.execPath, [tsc, ...options, '--ignoreConfig', '--types', '', file], {
      cwd: folder,
      encoding: 'utf8',
    })
    return stdout.split('\n').filter((line) => line !== '')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function validate(manifest: Manifest): Promise<void> {
  const models = (await import(packageOf(manifest.apiVersion))) as Record<
    string,
    new (
      data: Manifest,
    ) => { validate(): void }
  >
  const Model = models[manifest.kind]
  if (Model === undefined) throw new Error(`${manifest.apiVersion} has no ${manifest.kind}`)
  new Model(manifest).validate()
}

/** The local overlay with encrypted volumes, as somebody would write it. */
function withEncryptedStorage(): Manifest[] {
  const folder = mkdtempSync(join(root, 'k8s/overlays/.test-'))
  try {
    const lines = ['resources: [../local]', 'components: [../../components/encrypted-storage]']
    writeFileSync(join(folder, 'kustomization.yaml'), lines.join('\n'))
    return render(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const printedSecrets = () =>
  parseManifests(execFileSync(join(root, 'k8s/overlays/local/make-secrets.sh'), { encoding: 'utf8' }))

const printedRules = () => {
  const script = join(root, 'dev/prometheus-rules.ts')
  return parseManifests(execFileSync(process.execPath, ['--import', 'tsx', script], { encoding: 'utf8' }))
}

describe('Manifests and Kubernetes’ schemas', function () {
  this.timeout(60_000)

  before(function () {
    if (cannotRender !== undefined) {
      console.log(`skipped: ${cannotRender}`)
      this.skip()
    }
  })

  it('fit: no field is unknown, missing or of another type', async () => {
    const manifests = [...RENDERED.flatMap(render), ...withEncryptedStorage(), ...printedSecrets(), ...printedRules()]

    expect(manifests.length).to.be.above(80)
    expect(faultsOf(manifests)).to.deep.equal([])
    for (const found of manifests) await validate(found)
  })

  it('of k8s/components/encrypted-storage give Postgres a class that is there', () => {
    const manifests = withEncryptedStorage()
    const [storage] = ofKind(manifests, 'StorageClass')
    const { volumeClaimTemplates } = specOf<Claiming>(manifest(manifests, 'StatefulSet', 'postgres'))
    expect(volumeClaimTemplates[0]?.spec.storageClassName).to.equal(storage?.metadata.name)
    expect(storage).to.deep.nested.include({ 'parameters.encrypted': 'true' })
  })

  it('that make prometheus-rules prints have the groups of observability/', () => {
    const folder = join(root, 'observability/prometheus/rules')
    const files = existsSync(folder) ? readdirSync(folder).filter((file) => /\.ya?ml$/.test(file)) : []
    const groups = files.sort().flatMap((file) => parse(readFileSync(join(folder, file), 'utf8'))?.groups ?? [])
    expect(printedRules().map(({ spec }) => spec)).to.deep.equal([{ groups }])
  })

  it('this test sees a field too many, one too few and one of another type', () => {
    const metadata = { name: 'wrong' }
    const service = { apiVersion: 'v1', kind: 'Service', metadata }
    const faults = faultsOf([
      { ...service, spec: { ports: [{ port: 80, tragetPort: 'http' }] } },
      { ...service, spec: { ports: [{ name: 'http' }] } },
      { ...service, spec: { ports: [{ port: 'eighty' }] } },
      {
        apiVersion: 'monitoring.coreos.com/v1',
        kind: 'ServiceMonitor',
        metadata,
        spec: { selector: {}, endpoint: [] },
      },
    ])

    expect(faults.join('\n'))
      .to.match(/tragetPort"?' does not exist/)
      .and.match(/Property '"?port"?' is missing/)
      .and.include("Type 'string' is not assignable to type 'number'")
      .and.match(/endpoint"?' does not exist/)
  })
})
