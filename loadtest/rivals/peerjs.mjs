// PeerJS' own server, one process: it has no way to run several. Its limit of connections is raised above the test's.
import { PeerServer } from 'peer'

PeerServer(
  { host: '127.0.0.1', port: Number(process.env.PORT), path: '/', key: 'peerjs', concurrent_limit: 100_000 },
  () => console.log('ready'),
)
