import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { Arrivals } from './arrivals.ts'

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** Arrivals whose turns pass when the test says so. */
class Trial {
  readonly served: number[] = []
  readonly refused: number[] = []
  readonly #turns: (() => void)[] = []
  readonly arrivals = new Arrivals((action) => this.#turns.push(action))

  come(number: number): PassThrough {
    const socket = new PassThrough()
    this.arrivals.take({
      socket,
      serve: () => this.served.push(number),
      refuse: () => this.refused.push(number),
    })
    return socket
  }

  turn(): void {
    for (const action of this.#turns.splice(0)) action()
  }

  get turnsAsked(): number {
    return this.#turns.length
  }
}

describe('Arrivals', () => {
  it('serves one that comes by itself at once', () => {
    const trial = new Trial()
    for (let number = 1; number <= 20; number++) {
      trial.come(number)
      trial.turn()
    }
    expect(trial.served).to.deep.equal(range(1, 20))
    expect(trial.turnsAsked).to.equal(0)
  })

  it('serves a crowd in order, eight in a turn', () => {
    const trial = new Trial()
    for (let number = 1; number <= 30; number++) trial.come(number)
    const counts = [trial.served.length]
    for (let turn = 0; turn < 4; turn++) {
      trial.turn()
      counts.push(trial.served.length)
    }
    expect(counts).to.deep.equal([8, 16, 24, 30, 30])
    expect(trial.served).to.deep.equal(range(1, 30))
    expect(trial.arrivals.waiting).to.equal(0)
  })

  it('lets nobody pass those that wait', () => {
    const trial = new Trial()
    for (let number = 1; number <= 20; number++) trial.come(number)
    trial.turn()
    trial.come(21)
    expect(trial.served).to.have.length(16)
    trial.turn()
    expect(trial.served.slice(16)).to.deep.equal([17, 18, 19, 20, 21])
  })

  it('refuses those that came first where too many wait, and goes on serving', () => {
    const trial = new Trial()
    for (let number = 1; number <= 8 + 300; number++) trial.come(number)
    const counts: [number, number][] = []
    for (let turn = 0; turn < 3; turn++) {
      trial.turn()
      counts.push([trial.refused.length, trial.served.length])
    }
    expect(counts).to.deep.equal([
      [16, 16],
      [32, 24],
      [32, 32],
    ])
    expect(trial.refused).to.deep.equal([...range(9, 24), ...range(33, 48)])
    expect(trial.served).to.deep.equal([...range(1, 8), ...range(25, 32), ...range(49, 64)])
  })

  it('spends no turn on those that left while they waited', () => {
    const trial = new Trial()
    for (let number = 1; number <= 8; number++) trial.come(number)
    const left = Array.from({ length: 50 }, () => trial.come(0))
    trial.come(9)
    for (const socket of left) socket.destroy(new Error('reset'))
    trial.turn()
    expect(trial.served).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})
