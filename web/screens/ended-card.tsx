/** What became of a call, until it is read. */
import { useEffect, useRef } from 'preact/hooks'
import { useDesk } from '../desk.tsx'
import { Avatar } from '../parts/avatar.tsx'
import { Icon } from '../parts/icons.tsx'
import type { EndedCall } from '../phone.ts'
import { duration } from '../time.ts'
import { endSentence } from '../words.ts'

export function EndedCard({ ended }: { ended: EndedCall }) {
  const { people, phone } = useDesk()
  const card = useRef<HTMLElement>(null)
  useEffect(() => card.current?.focus(), [])
  const { peerId, video, direction, reason, seconds } = ended
  const name = people.nameOf(peerId)
  return (
    <section ref={card} class="ended" aria-label="The last call" tabIndex={-1}>
      <Avatar id={peerId} name={name} />
      <h2>{endSentence(reason, direction, name)}</h2>
      <p class="muted">
        {seconds >= 1 ? `${name} · ${duration(seconds)}` : `${video ? 'Video' : 'Voice'} call with ${name}`}
      </p>
      <div class="ended-actions">
        <button type="button" class="button" onClick={() => phone.forgetEnded()}>
          Close
        </button>
        <button type="button" class="button primary" onClick={() => phone.dial(peerId, video)}>
          <Icon name={video ? 'camera' : 'call'} />
          Call again
        </button>
      </div>
    </section>
  )
}
