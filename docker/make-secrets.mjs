// Writes what compose's services must keep from others into files of one volume: what was given, else what is there
// already, else something random. So nothing has a default that anybody knows, and a restart changes nothing.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('Say into which folder: make-secrets FOLDER')

/** 256 bits, in letters that need no quoting in a URL or a shell. */
const random = () => randomBytes(32).toString('base64url')

function keep(file, given, otherwise) {
  const path = join(folder, file)
  const value = given?.trim() || (existsSync(path) ? readFileSync(path, 'utf8') : otherwise())
  // Whole or not at all: another start may be reading.
  writeFileSync(`${path}.new`, value, { mode: 0o444 })
  renameSync(`${path}.new`, path)
  return value
}

const { JWT_SECRET, POSTGRES_PASSWORD, REDIS_PASSWORD, TURN_SECRET, GRAFANA_PASSWORD } = process.env
keep('jwt_secret', JWT_SECRET, random)
keep('turn_secret', TURN_SECRET, random)
keep('grafana_password', GRAFANA_PASSWORD, random)
const postgres = keep('postgres_password', POSTGRES_PASSWORD, random)
const redis = keep('redis_password', REDIS_PASSWORD, random)
keep('database_url', `postgres://tchat:${encodeURIComponent(postgres)}@postgres:5432/tchat`)
keep('redis_url', `redis://:${encodeURIComponent(redis)}@redis:6379`)
