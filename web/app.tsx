/** The page: somebody signs in, or is at home. */
import { DeskProvider, type FrontDoor } from './desk.tsx'
import { NoticeList } from './parts/notice-list.tsx'
import { Home } from './screens/home.tsx'
import { SignIn } from './screens/sign-in.tsx'
import { useStore } from './store.ts'

export function App({ door }: { door: FrontDoor }) {
  const desk = useStore(door.desk)
  return (
    <>
      {desk === undefined ? (
        <SignIn door={door} />
      ) : (
        <DeskProvider value={desk} key={desk.session.userId}>
          <Home />
        </DeskProvider>
      )}
      <NoticeList notices={door.notices} />
    </>
  )
}
