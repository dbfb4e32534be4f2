/** The sounds of a call, made of sines: no file to fetch. */

export type Sound = 'incoming' | 'outgoing'

interface Note {
  /** Seconds from the start of the bar. */
  at: number
  hertz: number
  seconds: number
}

/** A rising call that comes round every 3 s, and the calm tone that a caller waits by (425 Hz, as in most of Europe). */
const SCORES: Record<Sound, { barSeconds: number; volume: number; notes: Note[] }> = {
  incoming: {
    barSeconds: 3,
    volume: 0.16,
    notes: [0, 0.9].flatMap((start) => [
      { at: start, hertz: 659.26, seconds: 0.34 },
      { at: start + 0.17, hertz: 783.99, seconds: 0.34 },
      { at: start + 0.34, hertz: 987.77, seconds: 0.5 },
    ]),
  },
  outgoing: { barSeconds: 4, volume: 0.05, notes: [{ at: 0, hertz: 425, seconds: 1 }] },
}

/** Seconds that a note takes to come and go, so that it does not click. */
const EDGE = 0.03

export class Ringtone {
  #context: AudioContext | undefined
  #bars: ReturnType<typeof setInterval> | undefined
  #out: GainNode | undefined
  #sound: Sound | undefined

  /** To be called within a click or key press: browsers let no page sound before. */
  unlock(): void {
    this.#context ??= new AudioContext()
    void this.#context.resume()
  }

  /** Sounds until {@link stop}; silently where the browser allows none. */
  play(sound: Sound): void {
    if (sound === this.#sound) return
    this.stop()
    this.#sound = sound
    this.unlock()
    const context = this.#context
    if (context === undefined) return
    const { barSeconds, volume, notes } = SCORES[sound]
    const out = new GainNode(context, { gain: volume })
    out.connect(context.destination)
    this.#out = out
    const bar = () => {
      // What is asked of a context that may not sound would be made good all at once later.
      if (context.state !== 'running') return
      for (const note of notes) playNote(context, out, note)
    }
    bar()
    this.#bars = setInterval(bar, barSeconds * 1000)
  }

  stop(): void {
    clearInterval(this.#bars)
    this.#out?.disconnect()
    this.#out = undefined
    this.#sound = undefined
  }
}

function playNote(context: AudioContext, out: AudioNode, { at, hertz, seconds }: Note): void {
  const from = context.currentTime + at
  const tone = new OscillatorNode(context, { frequency: hertz })
  const envelope = new GainNode(context, { gain: 0 })
  envelope.gain.setValueAtTime(0, from)
  envelope.gain.linearRampToValueAtTime(1, from + EDGE)
  envelope.gain.setTargetAtTime(0, from + seconds - EDGE, EDGE)
  tone.connect(envelope).connect(out)
  tone.start(from)
  tone.stop(from + seconds + 4 * EDGE)
}
