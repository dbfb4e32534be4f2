// Signaling with Socket.IO as its documentation builds it: a room for each call, `socket.to(room).emit(…)`, and the
// classic Redis adapter where REDIS_URL is set. Tuned as its page "Performance tuning" says: WebSocket only, no
// compression, the first request let go. No tokens, no checks, no log, no acks.
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'

const http = createServer()
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
})
if (process.env.REDIS_URL) {
  const publisher = new Redis(process.env.REDIS_URL)
  io.adapter(createAdapter(publisher, publisher.duplicate()))
}
io.on('connection', (socket) => {
  const { room } = socket.handshake.query
  socket.conn.request = null
  socket.join(room)
  socket.on('candidate', (message) => socket.to(room).emit('candidate', message))
})
http.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'))
