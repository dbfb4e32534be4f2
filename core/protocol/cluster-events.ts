/**
 * Control events between our own processes, a handful per call. API and worker publish them with the Redis emitter's
 * `serverSideEmit`, gateways receive them through the classic Redis adapter and fan them out to their own peers of both
 * kinds: one code path for Socket.IO and raw WebSocket, and a place to hold back a status that is older than one already sent.
 */
import type { CallStatusMessage, IncomingCallMessage } from './signaling.ts'

/** A call changed its state. Everything a gateway needs to tell both users and to close what must be closed. */
export interface CallChanged {
  caller_id: string
  callee_id: string
  message: CallStatusMessage
}

/** A call was created; the callee's user channels ring. */
export interface CallRinging {
  callee_id: string
  message: IncomingCallMessage
}

/** The typed map for `serverSideEmit` on both ends. */
export interface ClusterEvents {
  'call-changed': (event: CallChanged) => void
  'call-ringing': (event: CallRinging) => void
}

/**
 * What the adapter's and the emitter's channels start with. Both must be equal or events vanish without a word; with the
 * configured key prefix two deployments may share a Redis.
 */
export const adapterKey = (keyPrefix: string): string => `${keyPrefix}io`
