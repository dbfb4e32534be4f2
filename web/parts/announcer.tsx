/** Says what the call is at to those who do not see it. */
import { useDesk } from '../desk.tsx'
import type { PhoneState } from '../phone.ts'
import { endSentence } from '../words.ts'
import { callLine } from './call-line.ts'

export function Announcer({ state: { call, ended } }: { state: PhoneState }) {
  const { people } = useDesk()
  let text = ''
  if (call !== undefined && (call.direction === 'outgoing' || call.state?.phase !== 'ringing'))
    text = `${people.nameOf(call.peerId)}: ${callLine(call)}`
  else if (call === undefined && ended !== undefined)
    text = endSentence(ended.reason, ended.direction, people.nameOf(ended.peerId))
  return (
    <p class="visually-hidden" role="status" data-testid="announcer">
      {text}
    </p>
  )
}
