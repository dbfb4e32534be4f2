/** How good the connection is, at a glance; the figures on request. */
import { useEffect, useId, useState } from 'preact/hooks'
import { type LinkQuality, type LinkSample, qualityBetween, sampleOf } from '../link-quality.ts'
import type { CallView } from '../phone.ts'

const EVERY_MS = 2_000
const WORDS = { good: 'Good connection', fair: 'Fair connection', poor: 'Poor connection' }

export function QualityBadge({ view }: { view: CallView }) {
  const quality = useQuality(view)
  const [isOpen, setOpen] = useState(false)
  const id = useId()
  if (quality === undefined) return null
  return (
    <span class="quality">
      <button
        type="button"
        class={`quality-badge ${quality.grade}`}
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => setOpen(!isOpen)}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <rect x="1.5" y="10" width="3" height="4.5" rx="1" />
          <rect x="6.5" y="6" width="3" height="8.5" rx="1" />
          <rect x="11.5" y="2" width="3" height="12.5" rx="1" />
        </svg>
        <span class="quality-word">{WORDS[quality.grade]}</span>
      </button>
      <dl id={id} class="quality-figures" hidden={!isOpen}>
        {figuresOf(quality).map(([term, figure]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{figure}</dd>
          </div>
        ))}
      </dl>
    </span>
  )
}

function figuresOf({ rttMs, jitterMs, lossRatio, receivedBps, sentBps, isRelayed }: LinkQuality): [string, string][] {
  return [
    ['Round trip', inMs(rttMs)],
    ['Jitter', inMs(jitterMs)],
    ['Loss', lossRatio === undefined ? '–' : `${(lossRatio * 100).toFixed(1)} %`],
    ['Received', rate(receivedBps)],
    ['Sent', rate(sentBps)],
    ['Path', isRelayed ? 'Relayed' : 'Direct'],
  ]
}

function inMs(ms: number | undefined): string {
  return ms === undefined ? '–' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

function rate(bps: number): string {
  return bps < 1_000_000 ? `${Math.round(bps / 1000)} kbit/s` : `${(bps / 1_000_000).toFixed(1)} Mbit/s`
}

function useQuality({ call, state }: CallView): LinkQuality | undefined {
  const [quality, setQuality] = useState<LinkQuality>()
  const connection = state?.phase === 'active' ? call?.peerConnection : undefined
  useEffect(() => {
    let before: LinkSample | undefined
    let isOver = false
    async function look(): Promise<void> {
      const report = await connection?.getStats?.()
      if (report === undefined || isOver) return
      const stats: Record<string, unknown>[] = []
      report.forEach((stat: Record<string, unknown>) => void stats.push(stat))
      const now = sampleOf(stats, Date.now())
      if (before !== undefined) setQuality(qualityBetween(before, now))
      before = now
    }
    void look()
    const timer = setInterval(() => void look().catch(() => {}), EVERY_MS)
    return () => {
      isOver = true
      clearInterval(timer)
    }
  }, [connection])
  return quality
}
