/** The screen of somebody who is signed in: people and history on one side, the call on the other. */
import { useEffect, useState } from 'preact/hooks'
import { useDesk } from '../desk.tsx'
import { Announcer } from '../parts/announcer.tsx'
import { Icon } from '../parts/icons.tsx'
import { OwnStatus } from '../parts/own-status.tsx'
import { useIsNarrow } from '../parts/ticks.ts'
import type { PhoneState } from '../phone.ts'
import { useStore } from '../store.ts'
import { CallStage } from './call-stage.tsx'
import { EndedCard } from './ended-card.tsx'
import { HistoryList } from './history-list.tsx'
import { IncomingDialog } from './incoming-dialog.tsx'
import { PeopleList } from './people-list.tsx'

type Tab = 'people' | 'history'

export function Home() {
  const { phone, people } = useDesk()
  const state = useStore(phone.state)
  useStore(people.state)
  const isNarrow = useIsNarrow()
  const [tab, setTab] = useState<Tab>('people')
  useTitle(state)
  useGuardedCall(state)

  const { call, ended } = state
  const rings = call?.direction === 'incoming' && call.state?.phase === 'ringing' && !call.answering
  const stage = call !== undefined && !rings ? <CallStage view={call} /> : ended && <EndedCard ended={ended} />
  // On a phone the call lies over everything else, which then must not be reached by keys either.
  const isCovered = isNarrow && Boolean(stage)
  return (
    <div class={`home ${stage ? 'with-stage' : ''}`}>
      <div class="side" inert={isCovered}>
        <OwnStatus />
        <main class="side-main">
          <Tabs tab={tab} choose={setTab} />
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys have to scroll it while a call has disabled every button. */}
          <div class="side-body" id={`${tab}-panel`} role="tabpanel" tabIndex={0} aria-labelledby={`${tab}-tab`}>
            {tab === 'people' ? <PeopleList /> : <HistoryList />}
          </div>
        </main>
      </div>
      <div class="stage">{stage || <Welcome />}</div>
      {rings && call ? <IncomingDialog view={call} /> : null}
      <Announcer state={state} />
    </div>
  )
}

function Tabs({ tab, choose }: { tab: Tab; choose(tab: Tab): void }) {
  const tabs = [
    { id: 'people', icon: 'people', label: 'People' },
    { id: 'history', icon: 'history', label: 'History' },
  ] as const
  /** Arrow keys move between tabs, as the ARIA practices have it. */
  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
    const next = tab === 'people' ? 'history' : 'people'
    choose(next)
    document.getElementById(`${next}-tab`)?.focus()
  }
  return (
    <div class="tabs" role="tablist" aria-label="People and history" onKeyDown={onKeyDown}>
      {tabs.map(({ id, icon, label }) => (
        <button
          key={id}
          type="button"
          class="tab"
          role="tab"
          id={`${id}-tab`}
          aria-selected={tab === id}
          aria-controls={`${id}-panel`}
          tabIndex={tab === id ? 0 : -1}
          onClick={() => choose(id)}
        >
          <Icon name={icon} />
          {label}
        </button>
      ))}
    </div>
  )
}

function Welcome() {
  return (
    <section class="welcome" aria-label="No call">
      <span class="welcome-mark">
        <Icon name="camera" />
      </span>
      <p>Choose somebody to call. What you say and show goes straight to the other browser.</p>
    </section>
  )
}

/** The tab of the browser says what goes on, for those who look elsewhere. */
function useTitle({ call }: PhoneState): void {
  const { people } = useDesk()
  useEffect(() => {
    if (call === undefined) document.title = 'Tchat Calling'
    else {
      const name = people.nameOf(call.peerId)
      const rings = call.direction === 'incoming' && call.state?.phase === 'ringing'
      document.title = rings ? `${name} is calling` : `${name} · Tchat Calling`
    }
  })
}

/** A closed page has hung up; before that it asks. */
function useGuardedCall({ call }: PhoneState): void {
  const { phone } = useDesk()
  const isTalking = call?.state?.phase === 'active'
  useEffect(() => {
    if (!isTalking) return
    const ask = (event: BeforeUnloadEvent) => event.preventDefault()
    addEventListener('beforeunload', ask)
    return () => removeEventListener('beforeunload', ask)
  }, [isTalking])
  useEffect(() => {
    const leave = () => phone.close()
    addEventListener('pagehide', leave)
    return () => removeEventListener('pagehide', leave)
  }, [phone])
}
