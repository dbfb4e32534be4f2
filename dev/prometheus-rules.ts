// `make -s prometheus-rules`: the alerts of observability/ as the Prometheus operator takes them, on standard output.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse, stringify } from 'yaml'

const folder = join(resolve(import.meta.dirname, '..'), 'observability/prometheus/rules')

interface RuleFile {
  groups: { name: string; rules: object[] }[]
}

const files = existsSync(folder)
  ? readdirSync(folder).filter((file) => /\.ya?ml$/.test(file) && !file.includes('.test.'))
  : []
const groups = files
  .sort()
  .flatMap((file) => (parse(readFileSync(join(folder, file), 'utf8')) as RuleFile | null)?.groups ?? [])

const rule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: {
    name: 'tchat-calling',
    namespace: 'tchat-calling',
    labels: { 'app.kubernetes.io/part-of': 'tchat-calling' },
  },
  // The format of a rule file is the operator's spec.
  spec: { groups },
}
process.stdout.write(stringify(rule, { lineWidth: 0 }))
