// `make dashboards`: writes grafana/dashboards/ anew.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dashboardFiles } from './dashboards/all.ts'

const folder = join(import.meta.dirname, 'grafana', 'dashboards')

mkdirSync(folder, { recursive: true })
for (const [name, content] of dashboardFiles()) writeFileSync(join(folder, name), content)
