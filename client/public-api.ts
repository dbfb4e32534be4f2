/** What `import { … } from '@tchat/calling-client'` gives: the one list of what is public. */
export type { EndRequestReason } from '../core/protocol/http.ts'
export type { CallType, EndReason, IceServer, RingState } from '../core/protocol/signaling.ts'
export type { Call, CallEvents } from './call.ts'
export type { CallEndReason, CallPhase, CallState } from './call-state.ts'
export { CallingClient, type CallOptions, type ClientEvents, type ClientState } from './calling-client.ts'
export { CallingError, type CallingErrorCode } from './errors.ts'
export type { CallingClientOptions } from './options.ts'
export type { PeerConnection, PeerConnectionConstructor, Socket, SocketConstructor } from './platform.ts'
