// Registers the root hooks as the first test file of a run. Mocha must load them by the way that it loads the tests:
// imported from elsewhere they would be a second instance, which knows nothing of the clusters that tests started.
import { mochaHooks } from '../../test/support/hooks.ts'

afterEach(mochaHooks.afterEach)
after(mochaHooks.afterAll)
