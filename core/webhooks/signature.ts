/** Standard Webhooks, symmetric signatures: https://www.standardwebhooks.com, "Signature scheme". */
import { createHmac } from 'node:crypto'

/**
 * The value of `webhook-signature`: one signature for each secret, parted by blanks, over `id.timestamp.body`.
 * @param timestamp whole seconds since 1970
 */
export function sign(secrets: Buffer[], id: string, timestamp: number, body: string): string {
  return secrets
    .map((secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`)
    .join(' ')
}
