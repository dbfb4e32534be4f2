/**
 * The product's Socket.IO server behind the settings and echo handlers that the official test suites expect, on port 3000.
 * The suites are in the repository socketio/socket.io: docs/engine.io-protocol/v4-test-suite (mode `engine`) and
 * docs/socket.io-protocol/v5-test-suite (mode `socket`). In the suite's folder: `npm ci && npm test`, while here runs
 * `node --import tsx test/protocol/official-profile.ts engine` or `… socket`.
 */
import { createServer } from 'node:http'
import { createIoServer, type IoServer } from '../../gateway/socketio/socketio-server.ts'

const PORT = 3000
/** What the suites look for in the handshake. */
const MAX_PAYLOAD = 1_000_000
const CONNECT_TIMEOUT_MS = 1_000

const mode = process.argv[2]
const http = createServer()
const io = createIoServer(http, { pingIntervalMs: 300, pingTimeoutMs: 200, corsOrigins: ['*'] })
io.connectTimeout(CONNECT_TIMEOUT_MS)
io.engine.opts.maxHttpBufferSize = MAX_PAYLOAD

if (mode === 'engine') echoPackets(io)
else if (mode === 'socket') echoEvents(io)
else throw new Error('Say which suite is to run: engine or socket')

http.listen(PORT, 'localhost', () => console.log(`Ready for the ${mode} suite on port ${PORT}`))

/** The engine suite talks to Engine.IO alone, under Engine.IO's own path: the layer above is taken off. */
function echoPackets({ engine }: IoServer): void {
  engine.removeAllListeners('connection')
  engine.on('connection', (socket) => socket.on('message', (data: unknown) => socket.send(data)))
  for (const event of ['request', 'upgrade']) {
    http.prependListener(event, (request: { url: string }) => {
      request.url = request.url.replace(/^\/engine\.io\//, '/socket.io/')
    })
  }
}

function echoEvents(server: IoServer): void {
  // The product's types know no events that a client sends or gets by `emit`.
  const untyped = server as unknown as import('socket.io').Server
  untyped.on('connection', (socket) => {
    socket.emit('auth', socket.handshake.auth)
    socket.on('message', (...args: unknown[]) => socket.emit('message-back', ...args))
    socket.on('message-with-ack', (...args: unknown[]) => {
      const ack = args.pop() as (...reply: unknown[]) => void
      ack(...args)
    })
  })
  untyped.of('/custom').on('connection', (socket) => socket.emit('auth', socket.handshake.auth))
}
