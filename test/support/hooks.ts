/** Mocha's root hooks: no connection outlives its test, no cluster outlives the run. */
import { stopAllClusters } from './clusters.ts'
import { terminateAllPeers } from './peer.ts'

export const mochaHooks = {
  async afterEach() {
    await terminateAllPeers()
  },
  async afterAll(this: Mocha.Context) {
    this.timeout(60_000)
    await stopAllClusters()
  },
}
