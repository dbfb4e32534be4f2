// `make docs`: writes client/API.md.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clientReference } from './reference.ts'

writeFileSync(join(import.meta.dirname, '../../client/API.md'), clientReference())
