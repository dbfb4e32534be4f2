/** A face for those who have none: initials on a colour of the user's own. */
import { hueOf, initialsOf } from '../initials.ts'

export function Avatar({ id, name, status }: { id: string; name: string; status?: 'online' | 'busy' | 'offline' }) {
  return (
    <span class="avatar" style={{ '--hue': String(hueOf(id)) }} aria-hidden="true">
      {initialsOf(name)}
      {status === undefined ? null : <span class={`avatar-dot ${status}`} />}
    </span>
  )
}
