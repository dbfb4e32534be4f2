// A relay as small as it gets: `ws`, one process, a map of pairs. It parses each message, as any server that looks at a
// type must, and forwards the bytes as they came. No tokens, no checks, no log, no acks, no second process.
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.env.PORT),
  perMessageDeflate: false,
  skipUTF8Validation: true,
})
const sockets = new Map()

server.on('connection', (socket, request) => {
  const [, call, side] = request.url.split('/')
  const own = `${call}/${side}`
  const other = `${call}/${side === 'a' ? 'b' : 'a'}`
  sockets.set(own, socket)
  socket.on('message', (data) => {
    if (JSON.parse(data).type === undefined) return
    sockets.get(other)?.send(data, { binary: false })
  })
  socket.on('error', () => {})
  socket.on('close', () => sockets.delete(own))
})
server.on('listening', () => console.log('ready'))
