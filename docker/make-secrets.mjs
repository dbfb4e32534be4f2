// Makes what compose's services must keep from others: what was given, else what is there already, else something random.
// So nothing has a default that anybody knows, and a restart changes nothing. FOLDER/kept has all of them and is mounted
// here alone; each service gets copies of its own in FOLDER/<service>, which is all that its container mounts.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('Say into which folder: make-secrets FOLDER')

/** 256 bits, in letters that need no quoting in a URL or a shell. */
const random = () => randomBytes(32).toString('base64url')

/** Whole or not at all: another start may be reading. */
function write(path, value, mode) {
  writeFileSync(`${path}.new`, value, { mode })
  renameSync(`${path}.new`, path)
}

const kept = join(folder, 'kept')
mkdirSync(kept, { recursive: true, mode: 0o700 })

function keep(file, given, otherwise, services) {
  const path = join(kept, file)
  const value = given?.trim() || (existsSync(path) ? readFileSync(path, 'utf8') : otherwise())
  write(path, value, 0o400)
  for (const service of services) {
    // The image has these folders for the group of each service alone; this process may give a file to no other user.
    const own = join(folder, service)
    mkdirSync(own, { recursive: true, mode: 0o750 })
    write(join(own, file), value, 0o444)
  }
  return value
}

const { JWT_SECRET, POSTGRES_PASSWORD, REDIS_PASSWORD, TURN_SECRET, GRAFANA_PASSWORD } = process.env
keep('jwt_secret', JWT_SECRET, random, ['api', 'gateway'])
keep('turn_secret', TURN_SECRET, random, ['api', 'gateway', 'coturn'])
keep('grafana_password', GRAFANA_PASSWORD, random, ['grafana'])
const postgres = keep('postgres_password', POSTGRES_PASSWORD, random, ['postgres'])
const redis = keep('redis_password', REDIS_PASSWORD, random, ['redis'])
const databaseUrl = `postgres://tchat:${encodeURIComponent(postgres)}@postgres:5432/tchat`
keep('database_url', databaseUrl, random, ['migrate', 'api', 'gateway', 'worker'])
const redisUrl = `redis://:${encodeURIComponent(redis)}@redis:6379`
keep('redis_url', redisUrl, random, ['api', 'gateway', 'worker'])
