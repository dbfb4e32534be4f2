import { expect } from 'chai'
import { GroupCommit } from './group-commit.ts'

describe('group commit', () => {
  it('sends what comes together, and what comes meanwhile, in one go each', async () => {
    const batches: number[][] = []
    let release = () => {}
    const commits = new GroupCommit<number, string>(10, async (items) => {
      batches.push(items)
      if (batches.length === 1)
        await new Promise<void>((resolve) => {
          release = resolve
        })
      return items.map(String)
    })
    const first = [commits.add(1), commits.add(2)]
    await new Promise((resolve) => setImmediate(resolve))
    const second = [commits.add(3), commits.add(4), commits.add(5)]
    release()

    expect(await Promise.all([...first, ...second])).to.deep.equal(['1', '2', '3', '4', '5'])
    expect(batches).to.deep.equal([
      [1, 2],
      [3, 4, 5],
    ])
  })

  it('sends no more than it may at once', async () => {
    const sizes: number[] = []
    const commits = new GroupCommit<number, number>(3, async (items) => {
      sizes.push(items.length)
      return items
    })
    const all = Array.from({ length: 8 }, (_, index) => commits.add(index))

    expect(await Promise.all(all)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7])
    expect(sizes).to.deep.equal([3, 3, 2])
  })

  it('lets no commit that hangs hold up others, as long as there is room beside it', async () => {
    const releases: (() => void)[] = []
    const commits = new GroupCommit<number, number>(
      1,
      async (items) => {
        if ((items[0] ?? 0) < 0) await new Promise<void>((resolve) => releases.push(resolve))
        return items
      },
      { abreast: 2 },
    )
    const settled: number[] = []
    const add = (item: number) => commits.add(item).then((result) => settled.push(result))

    const hanging = [add(-1)]
    await add(1)
    await add(2)
    expect(settled).to.deep.equal([1, 2])

    hanging.push(add(-2))
    const waiting = add(3)
    while (releases.length < 2) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    expect(settled, 'both places are taken').to.deep.equal([1, 2])
    releases[1]?.()
    await waiting
    expect(settled).to.deep.equal([1, 2, -2, 3])
    releases[0]?.()
    await Promise.all(hanging)
  })

  it('fails those whose commit fails, and goes on', async () => {
    let isBroken = true
    const commits = new GroupCommit<number, number>(10, async (items) => {
      if (isBroken) throw new Error('away')
      return items
    })
    const failed = await Promise.allSettled([commits.add(1), commits.add(2)])
    isBroken = false

    expect(failed.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected'])
    expect(await commits.add(3)).to.equal(3)
  })

  it('begins no sooner after the last than it was told, and collects meanwhile', async () => {
    let lastBegunAt = 0
    const sizes: number[] = []
    const commits = new GroupCommit<number, number>(
      10,
      async (items) => {
        lastBegunAt = performance.now()
        sizes.push(items.length)
        return items
      },
      { spacingMs: 30 },
    )
    const startedAt = performance.now()
    await commits.add(1)
    await Promise.all([commits.add(2), new Promise((resolve) => setImmediate(resolve)).then(() => commits.add(3))])

    expect(sizes).to.deep.equal([1, 2])
    expect(lastBegunAt - startedAt).to.be.at.least(30)
  })
})
