/** All that a signed-in window has, put together once and handed to every part of the screen. */
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { DemoSignInResponse } from '../core/protocol/http.ts'
import { Notices } from './notices.ts'
import { People } from './people.ts'
import { type EndedCall, Phone } from './phone.ts'
import { Ringtone } from './ringtone.ts'
import { Service, signIn } from './service.ts'
import { forgetSession, isFresh, loadSession, type Session, saveSession, sessionOf } from './session.ts'
import { Store } from './store.ts'
import { faultSentence, isMissed } from './words.ts'

export interface Desk {
  session: Session
  service: Service
  people: People
  phone: Phone
  notices: Notices
  /** Counts calls that are over: the history has grown. */
  callsOver: Store<number>
  signOut(message?: string): void
}

const DeskContext = createContext<Desk | undefined>(undefined)
export const DeskProvider = DeskContext.Provider

export function useDesk(): Desk {
  const desk = useContext(DeskContext)
  if (desk === undefined) throw new Error('Only a signed-in window has a desk')
  return desk
}

/** Who is signed in here, if anybody, and why nobody is. */
export class FrontDoor {
  readonly desk = new Store<Desk | undefined>(undefined)
  readonly message = new Store<string | undefined>(undefined)
  readonly notices = new Notices()
  readonly #ringtone = new Ringtone()

  /** Takes up what was kept over a reload. */
  resume(): void {
    const session = loadSession(sessionStorage, Date.now())
    if (session !== undefined) this.#open(session)
  }

  /** To be called within a click or key press. @throws ServiceError where the service does not take the name */
  async signIn(name: string): Promise<void> {
    this.#ringtone.unlock()
    const session = sessionOf(await signIn(name))
    this.message.set(undefined)
    this.#open(session)
  }

  #open(first: Session): void {
    let session = first
    let renewing: Promise<DemoSignInResponse> | undefined
    saveSession(sessionStorage, session)
    /** A token that is about to end is exchanged for the next; who asks meanwhile waits for the same. */
    const token = async () => {
      if (isFresh(session, Date.now())) return session.token
      renewing ??= signIn(session.name).finally(() => {
        renewing = undefined
      })
      session = sessionOf(await renewing)
      saveSession(sessionStorage, session)
      return session.token
    }
    const service = new Service(token)
    const people = new People(service)
    const callsOver = new Store(0)
    const signOut = (message?: string) => this.#close(message)
    const { notices } = this
    const phone = new Phone(session, token, this.#ringtone, {
      failed: (error, { peerId, video, direction }) => {
        const mayGoOnByVoice = error.code === 'MEDIA_UNAVAILABLE' && video && direction === 'outgoing' && !phone.isBusy
        const action = { label: 'Call by voice', run: () => void phone.dial(peerId, false) }
        const text = faultSentence(error, people.nameOf(peerId))
        notices.show({ kind: 'error', text, ...(mayGoOnByVoice ? { action } : {}) })
      },
      ended: (ended) => {
        callsOver.set(callsOver.value + 1)
        void people.refresh()
        tellOfCallInPassing(ended, { people, notices, phone })
      },
      noCamera: () => notices.show({ kind: 'info', text: 'No camera can be used: you are heard, but not seen.' }),
      signedOut: () => signOut('You were signed out. Sign in again.'),
    })
    people.start()
    phone.start()
    this.desk.set({ session, service, people, phone, notices, callsOver, signOut })
  }

  #close(message?: string): void {
    const desk = this.desk.value
    if (desk === undefined) return
    desk.phone.close()
    desk.people.stop()
    this.notices.clear()
    forgetSession(sessionStorage)
    this.message.set(message)
    this.desk.set(undefined)
  }
}

function tellOfCallInPassing(
  { peerId, video, direction, reason }: EndedCall,
  { people, notices, phone }: Pick<Desk, 'people' | 'notices' | 'phone'>,
): void {
  const name = people.nameOf(peerId)
  if (isMissed(reason, direction)) {
    const action = { label: 'Call back', run: () => void phone.dial(peerId, video) }
    notices.show({ kind: 'info', text: `Missed call from ${name}`, action })
  } else if (reason === 'answered_elsewhere')
    notices.show({ kind: 'info', text: `The call from ${name} was answered in another window.` })
}
