/** Root hooks of every test file, and the end of what files share: see `dev/test/lane.ts`. */
import { closeWhatIsShared } from './at-the-end.ts'
import { stopAllClusters } from './clusters.ts'
import { terminateAllPeers } from './peer.ts'

export const mochaHooks = {
  /** No connection outlives its test. */
  async afterEach(): Promise<void> {
    await terminateAllPeers()
  },
  /** No cluster and no browser outlives the last file. */
  async afterAll(): Promise<void> {
    try {
      await closeWhatIsShared()
    } finally {
      await stopAllClusters()
    }
  },
}
