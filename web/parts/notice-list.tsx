/** Notices over the page. Screen readers are told of them without losing their place. */
import type { Notice, Notices } from '../notices.ts'
import { useStore } from '../store.ts'
import { Icon } from './icons.tsx'

export function NoticeList({ notices }: { notices: Notices }) {
  const shown = useStore(notices.shown)
  const of = (kind: Notice['kind']) => shown.filter((notice) => notice.kind === kind)
  // Both regions are always there: one that comes with its text is not read by every screen reader.
  return (
    <div class="notices">
      <div role="alert">
        {of('error').map((notice) => (
          <NoticeCard key={notice.id} notice={notice} notices={notices} />
        ))}
      </div>
      <div role="status">
        {of('info').map((notice) => (
          <NoticeCard key={notice.id} notice={notice} notices={notices} />
        ))}
      </div>
    </div>
  )
}

function NoticeCard({ notice, notices }: { notice: Notice; notices: Notices }) {
  const { id, kind, text, action } = notice
  return (
    <div class={`notice ${kind}`}>
      <p>{text}</p>
      {action === undefined ? null : (
        <button
          type="button"
          class="button small"
          onClick={() => {
            notices.dismiss(id)
            action.run()
          }}
        >
          {action.label}
        </button>
      )}
      <button type="button" class="icon-button small" aria-label="Dismiss" onClick={() => notices.dismiss(id)}>
        <Icon name="close" />
      </button>
    </div>
  )
}
