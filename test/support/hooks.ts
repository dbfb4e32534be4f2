/** Mocha's root hooks: no connection outlives its test, no cluster and no browser outlives the run. */
import { closeWhatIsShared } from './at-the-end.ts'
import { stopAllClusters } from './clusters.ts'
import { terminateAllPeers } from './peer.ts'

export const mochaHooks = {
  async afterEach() {
    await terminateAllPeers()
  },
  async afterAll(this: Mocha.Context) {
    this.timeout(60_000)
    try {
      await closeWhatIsShared()
    } finally {
      await stopAllClusters()
    }
  },
}
