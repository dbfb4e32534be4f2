/** Who can be called. */
import type { DemoUser } from '../../core/protocol/http.ts'
import { useDesk } from '../desk.tsx'
import { Avatar } from '../parts/avatar.tsx'
import { Icon } from '../parts/icons.tsx'
import { sorted } from '../people.ts'
import { useStore } from '../store.ts'
import { ago } from '../time.ts'

export function PeopleList() {
  const { people, session } = useDesk()
  const { users, isStale } = useStore(people.state)
  if (users === undefined)
    return <p class="empty-note">{isStale ? 'The list cannot be loaded. Trying again…' : 'Loading…'}</p>
  const others = sorted(users, session.userId)
  const online = others.filter(({ status }) => status === 'online')
  const offline = others.filter(({ status }) => status === 'offline')
  return (
    <>
      <Group title="Online" users={online} />
      {online.length > 0 ? null : <NobodyHere />}
      <Group title="Earlier" users={offline} />
    </>
  )
}

function Group({ title, users }: { title: string; users: DemoUser[] }) {
  if (users.length === 0) return null
  const id = `people-${title.toLowerCase()}`
  return (
    <section class="group" aria-labelledby={id}>
      <h2 id={id}>
        {title} <span class="count">{users.length}</span>
      </h2>
      <ul class="rows">
        {users.map((user) => (
          <Person key={user.user_id} user={user} />
        ))}
      </ul>
    </section>
  )
}

function Person({ user: { user_id: id, name, status, in_call, last_seen } }: { user: DemoUser }) {
  const { phone } = useDesk()
  const { call } = useStore(phone.state)
  const isBusy = call !== undefined
  const seen = last_seen === null ? 'Not seen yet' : `Seen ${ago(Date.parse(last_seen), Date.now())}`
  const line = in_call ? 'In a call' : status === 'online' ? 'Available' : seen
  return (
    <li class="row" data-user={name}>
      <Avatar id={id} name={name} status={in_call ? 'busy' : status} />
      <div class="row-text">
        <span class="row-name">{name}</span>
        <span class="muted">{line}</span>
      </div>
      <button
        type="button"
        class="icon-button"
        aria-label={`Call ${name} by voice`}
        title="Voice call"
        disabled={isBusy}
        onClick={() => phone.dial(id, false)}
      >
        <Icon name="call" />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label={`Call ${name} by video`}
        title="Video call"
        disabled={isBusy}
        onClick={() => phone.dial(id, true)}
      >
        <Icon name="camera" />
      </button>
    </li>
  )
}

/** What a newcomer needs to know: a call takes two, and a second window is a second person. */
function NobodyHere() {
  return (
    <div class="empty-note">
      <p>Nobody else is here yet. Open a second window and sign in with another name.</p>
      <a class="button" href="/" target="_blank" rel="noopener">
        <Icon name="window" />
        Open a second window
      </a>
    </div>
  )
}
