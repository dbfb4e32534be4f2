// The steps of the scenarios that Artillery has no words for. A step that fails fails its virtual user.
import { io } from 'socket.io-client'
import WebSocket from 'ws'
import { until } from './reconnecting-peer.mjs'
import { callAndAnswer, hangUp, joinBoth } from './service.mjs'

const MESSAGES_BESIDE = 20
const PAUSE_MS = 50
/** Everybody is cut at the same moments, multiples of this by the clock. */
const STORM_EVERY_MS = 10_000

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Artillery's steps end with a callback; one that throws counts as an error of its virtual user. */
function step(work) {
  return (context, events, done) => {
    work(context, events).then(
      () => {
        events.emit('counter', 'steps.failed', 0)
        done()
      },
      (error) => {
        events.emit('error', error.message)
        events.emit('counter', 'steps.failed', 1)
        done(error)
      },
    )
  }
}

/** Raw WebSocket: makes and answers a call, and connects Artillery's own socket to it. */
export function connectToCall(wsArgs, context, done) {
  callAndAnswer(context.vars).then((callId) => {
    context.vars.callId = callId
    const origin = process.env.TARGET.replace(/^http/, 'ws')
    wsArgs.target = `${origin}/ws/signaling/${callId}?token=${context.vars.callerToken}`
    done()
  }, done)
}

/** Raw WebSocket: Artillery's own socket is the user channel of the caller. */
export function connectToEvents(wsArgs, context, done) {
  const origin = process.env.TARGET.replace(/^http/, 'ws')
  wsArgs.target = `${origin}/ws/events?token=${context.vars.callerToken}`
  done()
}

/** Both peers in their room, messages both ways, all of them arrived. */
export const exchange = step(async (context, events) => {
  events.emit('counter', 'signaling.doubled', 0)
  const callId = await callAndAnswer(context.vars)
  const peers = await joinBoth(context.vars, callId, events)
  for (let sent = 0; sent < MESSAGES_BESIDE; sent++) {
    for (const peer of peers) peer.send()
    await pause(PAUSE_MS)
  }
  await end(context, callId, peers)
})

/** As {@link exchange}, for longer, while all connections of the run are cut at once, again and again. */
export const surviveStorms = step(async (context, events) => {
  await live(context, events, (peers) => {
    const nextMs = STORM_EVERY_MS - (Date.now() % STORM_EVERY_MS)
    setTimeout(() => {
      for (const peer of peers) peer.cut()
    }, nextMs)
  })
})

/** As {@link exchange}, for longer; whoever deploys meanwhile must not be noticed. */
export const surviveDeploy = step((context, events) => live(context, events, () => {}))

async function live(context, events, disturb) {
  events.emit('counter', 'signaling.doubled', 0)
  const callId = await callAndAnswer(context.vars)
  const peers = await joinBoth(context.vars, callId, events)
  disturb(peers)
  const endAt = Date.now() + Number(process.env.LIVE_SECONDS ?? 15) * 1000
  while (Date.now() < endAt) {
    for (const peer of peers) peer.send()
    await pause(PAUSE_MS * 10)
  }
  await end(context, callId, peers)
}

async function end(context, callId, peers) {
  await Promise.all(peers.map((peer) => peer.joined()))
  await Promise.all(peers.map((peer) => peer.settled()))
  for (const peer of peers) peer.close()
  await hangUp(context.vars, callId)
}

/** Socket.IO: connections of both to the call; Artillery speaks over the caller's under the name `call`. */
export const openCallSockets = step(async (context, events) => {
  const { callId, caller, callerToken, callee, calleeToken } = context.vars
  const open = (token) =>
    io(process.env.TARGET, { query: { call_id: callId }, auth: { token }, transports: ['websocket'], forceNew: true })
  const [mine, theirs] = [open(callerToken), open(calleeToken)]
  context.sockets.call = mine
  context.sockets.callee = theirs
  context.vars.heard = 0
  theirs.on('candidate', ({ id }) => {
    context.vars.heard += 1
    events.emit('histogram', 'signaling.latency', performance.now() - Number(id))
  })
  theirs.on('connect', () => theirs.emit('join-room', { type: 'join-room', call_id: callId, user_id: callee }))
  let joined = false
  theirs.on('call-status', () => {
    joined = true
  })
  await until(() => mine.connected && joined, `a socket of ${caller} did not connect`)
})

/** The id of the next message is the time, so that its receiver can tell how long it took. */
export const stampMessage = (context, _events, done) => {
  context.vars.sentAt = String(performance.now())
  context.vars.sent = (context.vars.sent ?? 0) + 1
  done()
}

/** Socket.IO: everything that was sent has arrived. */
export const allHeard = step(async ({ vars }) => {
  await until(() => vars.heard >= vars.sent, `${vars.sent - vars.heard} messages did not arrive`)
})

/** Raw: messages over Artillery's own socket, to a callee of our own. */
export const talkOverOwnSocket = step(async (context, events) => {
  const { callId, caller, callee, calleeToken } = context.vars
  const origin = process.env.TARGET.replace(/^http/, 'ws')
  const other = new WebSocket(`${origin}/ws/signaling/${callId}?token=${calleeToken}`, { perMessageDeflate: false })
  let heard = 0
  let joined = false
  other.on('open', () => other.send(JSON.stringify({ type: 'join-room', call_id: callId, user_id: callee })))
  other.on('message', (data) => {
    const message = JSON.parse(data.toString())
    if (message.type === 'call-status') joined = true
    if (message.type !== 'candidate') return
    heard += 1
    events.emit('histogram', 'signaling.latency', performance.now() - Number(message.id))
  })
  other.on('error', () => {})
  context.ws.addEventListener('message', ({ data }) => {
    if (data.includes('"type":"error"')) events.emit('counter', 'steps.failed', 1)
  })
  await until(() => joined, 'the callee did not join')
  for (let sent = 0; sent < MESSAGES_BESIDE; sent++) {
    const message = { type: 'candidate', id: String(performance.now()), call_id: callId, from: caller, to: callee }
    context.ws.send(JSON.stringify({ ...message, candidate: 'candidate:1 1 udp 1 198.51.100.7 46154 typ host' }))
    await pause(PAUSE_MS)
  }
  await until(() => heard === MESSAGES_BESIDE, `${MESSAGES_BESIDE - heard} messages did not arrive`)
  other.close(1000)
})

/** Ends the call of {@link connectToCall}. */
export const endCall = step(({ vars }) => hangUp(vars, vars.callId))
