/** `callctl token` */
import { randomUUID } from 'node:crypto'
import { isDeviceId } from '../../core/platform/devices.ts'
import { mintToken } from '../../core/platform/token-minting.ts'
import { noPositional, readNumber, readText, readUuid } from '../arguments.ts'
import { type Command, UsageError } from '../command.ts'

export const token: Command = {
  name: 'token',
  usage: 'token --user <uuid>',
  summary: 'a token to try something with',
  help:
    'Signed with JWT_SECRET; where an auth service signs (JWT_PUBLIC_KEY, JWKS_URL) there is nothing to sign with here.\n' +
    'The token is printed alone, and is as good as a password until it expires. Needs no store.',
  options: {
    user: { type: 'string', about: 'whose token; a new user where it is left out' },
    device: { type: 'string', about: 'its device_id' },
    name: { type: 'string', about: 'its name' },
    scope: { type: 'string', about: 'for example calls:manage' },
    ttl: { type: 'string', about: 'seconds that it is valid, 3600 by default' },
  },
  async run(input, stores) {
    noPositional(input)
    const user = readText(input, 'user')
    const userId = user === undefined ? randomUUID() : readUuid(user, '--user')
    const deviceId = readText(input, 'device')
    if (deviceId !== undefined && !isDeviceId(deviceId))
      throw new UsageError('--device is too long, or has control characters')
    const ttlSeconds = readNumber(input, 'ttl', { min: 1, max: 31_536_000, fallback: 3600 })
    const scope = readText(input, 'scope')
    const minted = mintToken(stores.config.tokens, {
      userId,
      deviceId,
      name: readText(input, 'name'),
      scope,
      ttlSeconds,
    })
    return {
      json: { token: minted, user_id: userId, expires_at: new Date(Date.now() + ttlSeconds * 1000).toISOString() },
      text: minted,
    }
  },
}
