/**
 * Hostile clients, each in its own process so that what is measured is the gateway and not the test. They write what they
 * like and read nothing, and open a new connection for each one that they lose.
 * `node --import tsx test/attacks/attackers.ts <name> <target as JSON>`; the parent ends them.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { encodeFrame, OPCODE } from '../protocol/wire.ts'

export interface Target {
  /** `http://…` of a gateway. */
  url: string
  /** Of a user that has nothing to do with the innocent call. */
  token: string
}

const { TEXT, CONTINUATION, PING, PONG } = OPCODE
const PINGS = Buffer.concat(Array.from({ length: 500 }, () => encodeFrame(PING, 'x'.repeat(125))))
const PONGS = Buffer.concat(Array.from({ length: 490 }, () => encodeFrame(PONG, 'x'.repeat(125))))
const BEGINNING = encodeFrame(TEXT, '{', { fin: false })
const FRAGMENT = Buffer.concat([PONGS, encodeFrame(CONTINUATION, ' ', { fin: false })])
const EMPTY = Buffer.concat(Array.from({ length: 2000 }, () => encodeFrame(CONTINUATION, '', { fin: false })))
/** As large as may be read, and its last bytes never come. */
const HALF_HELLO = encodeFrame(TEXT, 'x'.repeat(48_000)).subarray(0, 48_000)
const HALF_MESSAGE = encodeFrame(TEXT, 'x'.repeat(65_000)).subarray(0, 65_000)
const NO_TOKEN = '/socket.io/?EIO=4&transport=websocket'

interface Plan {
  connections: number
  /** What a connection writes first, its head included. */
  begin(target: Target): Buffer | string
  /** What it then writes as long as it is taken; undefined where it just waits. */
  again?: Buffer
  /** Reads the answer to what was written first, and says what comes next. */
  next?(answer: string, target: Target): Buffer | string | undefined
}

const upgrade =
  (path: string) =>
  ({ url }: Target) =>
    `GET ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
const channel = (target: Target) => upgrade(`/ws/events?token=${target.token}`)(target)
const engine = upgrade(NO_TOKEN)
const after = (head: (target: Target) => string, bytes: Buffer) => (target: Target) =>
  Buffer.concat([Buffer.from(head(target)), bytes])
const poll = ({ url }: Target) =>
  `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`
const post = ({ url }: Target, sid: string, bytes: number, body: string) =>
  `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n` +
  `Content-Type: text/plain\r\nContent-Length: ${bytes}\r\n\r\n${body}`
const sidOf = (answer: string) => /"sid":"([^"]+)"/.exec(answer)?.[1]
const REFUSED = Array.from({ length: 400 }, () => `40{"token":"${'x'.repeat(100)}"}`).join('\x1e')
const LARGE_AUTH = encodeFrame(TEXT, `40${JSON.stringify({ padding: 'x'.repeat(250_000) })}`)

/** What each attack does. */
export const PLANS = {
  'pings without a token': { connections: 2, begin: engine, again: PINGS },
  'pings on user channels': { connections: 2, begin: channel, again: PINGS },
  'fragments between pongs without a token': { connections: 2, begin: after(engine, BEGINNING), again: FRAGMENT },
  'fragments between pongs on user channels': { connections: 2, begin: after(channel, BEGINNING), again: FRAGMENT },
  'empty fragments on user channels': { connections: 2, begin: after(channel, BEGINNING), again: EMPTY },
  'large CONNECTs without a token': { connections: 4, begin: after(engine, LARGE_AUTH) },
  'sessions without a token': { connections: 8, begin: poll, next: (_answer, target) => poll(target) },
  'refused CONNECTs by polling': {
    connections: 4,
    begin: poll,
    next: (answer, target) => {
      const sid = sidOf(answer)
      return sid === undefined ? poll(target) : post(target, sid, Buffer.byteLength(REFUSED), REFUSED)
    },
  },
  'half a polling body': {
    connections: 200,
    begin: poll,
    next: (answer, target) => {
      const sid = sidOf(answer)
      return sid === undefined ? undefined : post(target, sid, 200_000, 'x'.repeat(100_000))
    },
  },
  'half a message without a token': { connections: 100, begin: after(engine, HALF_HELLO) },
  'half a message on user channels': { connections: 5, begin: after(channel, HALF_MESSAGE) },
  'heads that never end': { connections: 200, begin: () => 'GET / HTTP/1.1\r\nHost: x\r\nX: '.padEnd(8_000, 'x') },
} satisfies Record<string, Plan>

export type Attack = keyof typeof PLANS

/** One connection after the other. */
function attack(plan: Plan, target: Target, onOpened: () => void): void {
  const { hostname, port } = new URL(target.url)
  const socket: Socket = connect({ host: hostname, port: Number(port) })
  socket.on('connect', () => {
    onOpened()
    socket.write(plan.begin(target))
    const { again } = plan
    const write = () => {
      for (let room = true; room && !socket.destroyed && again !== undefined; ) room = socket.write(again)
    }
    if (again !== undefined) socket.on('drain', write)
    write()
  })
  if (plan.next !== undefined)
    socket.on('data', (answer: Buffer) => {
      const more = plan.next?.(answer.toString('latin1'), target)
      if (more !== undefined) socket.write(more)
    })
  socket.on('error', () => {})
  socket.on('end', () => socket.destroy())
  // Straight away, as somebody would who means it.
  socket.on('close', () => setImmediate(() => attack(plan, target, onOpened)))
}

const [name, target] = process.argv.slice(2)
if (process.send !== undefined && name !== undefined && name in PLANS && target !== undefined) {
  const plan: Plan = PLANS[name as Attack]
  let opened = 0
  for (let count = 0; count < plan.connections; count++)
    attack(plan, JSON.parse(target) as Target, () => {
      opened += 1
    })
  process.on('message', () => process.send?.({ opened }))
  process.on('disconnect', () => process.exit())
  process.send({ opened })
}
