// Programs and rights that some tests need. A run says at its start which tests it will skip, and how to get the rest.
import { spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { isExecutable } from '../cluster/tools.ts'

/** Names under which systems install Chromium; the first has no window, and takes a quarter less of the processor. */
const BROWSERS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']

/** A command that renders manifests with components, which Debian 12's own kubectl (1.20) does not know. */
const RENDERERS = [
  ['kubectl', 'kustomize'],
  ['kustomize', 'build'],
] as const

export type Renderer = (typeof RENDERERS)[number]

/** The path of a Chromium, or `undefined`. */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  return BROWSERS.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

/** The command that renders Kubernetes manifests, or `undefined`. */
export function findRenderer(root: string): Renderer | undefined {
  return RENDERERS.find(([program, verb]) => {
    const { status } = spawnSync(program, [verb, join(root, 'k8s/components/monitoring')], { cwd: root })
    return status === 0
  })
}

/** One line for each group of tests that will be skipped here: what is missing, what is skipped, how to get it. */
export function missingCapabilities(root: string): string[] {
  const missing: string[] = []
  if (findChromium() === undefined) {
    missing.push(
      'Chromium is not on PATH: test/browser is skipped. Debian: apt-get install chromium-headless-shell, or chromium',
    )
  }
  if (findRenderer(root) === undefined) {
    missing.push(
      'Neither kubectl 1.27 or newer nor kustomize 5 is on PATH: most of test/k8s is skipped. https://kubectl.docs.kubernetes.io/installation/kustomize/',
    )
  }
  if (process.getuid?.() !== 0) {
    missing.push('Not root: `make up` is tried as this user alone, not as root and as another user. Run it as root')
  }
  return missing
}
