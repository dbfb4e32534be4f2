/**
 * A whole call through nothing but a TURN server, in a process of its own, as werift (0.24.4) keeps a timer for minutes
 * after a relayed connection is closed. Reads what to call from RELAYED_CALL, writes what came of it as JSON.
 */
import { type DemoResult, runDemo } from '../../dev/demo/demo.ts'
import { mintToken } from '../support/tokens.ts'

export interface RelayedCall {
  apiUrl: string
  gatewayUrls: string[]
  jwtSecret: string
}

export type RelayedCallResult = Pick<DemoResult, 'heardByCaller' | 'heardByCallee' | 'candidates' | 'entry'>

const { jwtSecret, ...where } = JSON.parse(process.env.RELAYED_CALL ?? '') as RelayedCall
const mint = (sub: string) => mintToken(jwtSecret, { sub })
const { heardByCaller, heardByCallee, candidates, entry } = await runDemo({
  ...where,
  mintToken: mint,
  relayOnly: true,
  print: (line) => console.error(line),
})
const result: RelayedCallResult = { heardByCaller, heardByCallee, candidates, entry }
process.stdout.write(JSON.stringify(result), () => process.exit(0))
