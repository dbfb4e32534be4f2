// Preloaded into ours and rivals alike (`node --import`): SIGUSR2 makes a process collect its garbage, so that its memory
// shows what it holds and not what it has not thrown away yet.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// NODE_OPTIONS does not take --expose-gc in Node 20.
setFlagsFromString('--expose-gc')
const collect = globalThis.gc ?? runInNewContext('gc')

process.on('SIGUSR2', () => {
  collect()
  collect()
})
