/** What the package exports. */
export type { CallStatus, CallType, EndReason } from './calls/call.ts'
export type { ErrorCode } from './errors.ts'
export { type MockCall, type MockOptions, MockServer, type MockUser, startMock } from './mock-server.ts'
export type { Received, Refusal, Script, Which } from './script.ts'
