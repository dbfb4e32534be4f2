import { expect } from 'chai'
import { AppError } from '../core/protocol/errors.ts'
import { AdmissionGate } from './admission-gate.ts'

/** Handshakes that end when the test says so. Only promises are awaited here, so the gate's own timer never runs. */
class Trial {
  now = 1000
  readonly gate: AdmissionGate
  readonly started: number[] = []
  readonly #ends = new Map<number, (error?: Error) => void>()
  #asked = 0
  readonly #turns: (() => void)[] = []

  constructor(most: number) {
    this.gate = new AdmissionGate(most, { now: () => this.now, nextTurn: (action) => this.#turns.push(action) })
  }

  /** Asks for a handshake; resolves with its advice in ms where it was sent away, or with undefined when it is over. */
  ask(): Promise<number | undefined> {
    const number = ++this.#asked
    const handshake = () =>
      new Promise<void>((resolve, reject) => {
        this.started.push(number)
        this.#ends.set(number, (error) => (error === undefined ? resolve() : reject(error)))
      })
    return this.gate.pass(handshake).then(
      () => undefined,
      (error: unknown) => (error instanceof AppError ? Number(error.details?.retry_after_ms) : undefined),
    )
  }

  finish(number: number, error?: Error): void {
    this.#ends.get(number)?.(error)
  }

  async end(number: number, error?: Error): Promise<void> {
    this.finish(number, error)
    await this.turns(4)
  }

  /** So many turns of the event loop; resolves with the handshakes that began in each. */
  async turns(count: number): Promise<number[]> {
    const began: number[] = []
    await settle()
    for (let turn = 0; turn < count; turn++) {
      const before = this.started.length
      for (const action of this.#turns.splice(0)) action()
      await settle()
      began.push(this.started.length - before)
    }
    return began
  }

  /** Ends everything that was started and goes on like that for `ms`, with a look every 25 ms. */
  async run(ms: number, perLook: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 25) {
      for (const number of this.started.splice(0, perLook)) await this.end(number)
      this.now += 25
      this.gate.look()
      await this.turns(2)
    }
  }
}

const settle = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

describe('AdmissionGate', () => {
  it('checks so many at once and lets the others wait in their order', async () => {
    const trial = new Trial(2)
    for (let count = 0; count < 4; count++) void trial.ask()
    await settle()
    expect(trial.started).to.deep.equal([1, 2])
    expect(trial.gate.counts).to.deep.equal({ underWay: 2, waiting: 2, limit: 2 })

    await trial.end(2)
    expect(trial.started).to.deep.equal([1, 2, 3])
    await trial.end(1)
    expect(trial.started).to.deep.equal([1, 2, 3, 4])
  })

  it('has room again after a handshake that failed', async () => {
    const trial = new Trial(1)
    void trial.ask()
    void trial.ask()
    await settle()

    await trial.end(1, new Error('the store is away'))

    expect(trial.started).to.deep.equal([1, 2])
  })

  it('gives the place of a handshake that waits aside to others, and takes it back through the line', async () => {
    const gate = new AdmissionGate(1)
    let answer: () => void = () => {}
    const told = new Promise<void>((resolve) => {
      answer = resolve
    })
    const order: string[] = []

    const waits = gate.pass(async (aside) => {
      await aside(() => told)
      order.push('waited')
    })
    await gate.pass(async () => {
      expect(gate.counts.underWay).to.equal(1)
      answer()
      await settle()
      // The place is taken: who waited stands in line.
      expect(gate.counts).to.include({ underWay: 1, waiting: 1 })
      order.push('other')
    })
    await waits

    expect(order).to.deep.equal(['other', 'waited'])
    expect(gate.counts).to.include({ underWay: 0, waiting: 0 })
  })

  it('gives no place back twice where the wait of a handshake fails', async () => {
    const gate = new AdmissionGate(1)
    const failed = gate.pass((aside) => aside(() => Promise.reject(new Error('away'))))

    expect(await failed.catch((error: Error) => error.message)).to.equal('away')
    expect(gate.counts).to.include({ underWay: 0, waiting: 0 })
  })

  it('sends away what does not fit into its line, each with a later time to come back', async () => {
    const trial = new Trial(1)
    const advice = Array.from({ length: 700 }, () => trial.ask())
    await settle()

    const { waiting } = trial.gate.counts
    const sentAway = await Promise.all(advice.slice(1 + waiting))

    expect(waiting).to.equal(500)
    expect(sentAway).to.have.length(199)
    expect(sentAway[0]).to.be.within(250, 260)
    for (const [index, ms] of sentAway.slice(1).entries()) expect(ms).to.be.greaterThan(Number(sentAway[index]))
    // 500 a second are 2 ms apart.
    expect(Number(sentAway.at(-1)) - Number(sentAway[0])).to.be.within(390, 400)
  })

  it('learns how fast it is from what it got done while others waited', async () => {
    const trial = new Trial(1)
    for (let count = 0; count < 400; count++) void trial.ask()
    await settle()

    // One in 25 ms: 40 a second.
    await trial.run(5000, 1)
    const line = trial.gate.counts.waiting
    const sentAway = await Promise.all([trial.ask(), trial.ask()])

    expect(line).to.be.greaterThan(60)
    expect(Number(sentAway[1]) - Number(sentAway[0])).to.be.within(20, 26)
  })

  it('begins eight handshakes in a turn of the event loop', async () => {
    const trial = new Trial(64)
    for (let count = 0; count < 164; count++) void trial.ask()
    await settle()
    expect(trial.started).to.have.length(64)
    for (let number = 1; number <= 20; number++) trial.finish(number)
    expect(await trial.turns(4)).to.deep.equal([8, 8, 4, 0])
  })

  it('checks fewer at once while the event loop is late, and more again when it is not', async () => {
    const trial = new Trial(256)
    for (let count = 0; count < 300; count++) void trial.ask()
    await settle()
    expect(trial.gate.counts.limit).to.equal(64)

    await trial.run(25 * 20, 0)
    expect(trial.gate.counts.limit).to.equal(84)
    trial.now += 25 + 51
    trial.gate.look()
    expect(trial.gate.counts.limit).to.equal(42)
    for (let count = 0; count < 10; count++) {
      trial.now += 1000
      trial.gate.look()
    }
    expect(trial.gate.counts.limit).to.equal(32)

    await trial.run(25 * 10, 0)
    expect(trial.gate.counts.limit).to.equal(42)
  })

  it('never checks more at once than it was told, however little that is', async () => {
    const trial = new Trial(3)
    for (let count = 0; count < 20; count++) void trial.ask()
    await settle()

    await trial.run(25 * 10, 0)
    trial.now += 1000
    trial.gate.look()

    expect(trial.started).to.have.length(3)
    expect(trial.gate.counts.limit).to.equal(3)
  })
})
