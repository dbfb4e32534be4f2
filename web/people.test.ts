import { expect } from 'chai'
import type { DemoUser } from '../core/protocol/http.ts'
import { People, sorted } from './people.ts'
import { Service, ServiceError } from './service.ts'

function user(name: string, status: DemoUser['status'] = 'online'): DemoUser {
  return { user_id: `0000000${name.length}-${name}`, name, status, in_call: false, last_seen: null }
}

/** A service that answers with the next of these. */
class Answers extends Service {
  readonly #answers: (DemoUser[] | Error)[]

  constructor(...answers: (DemoUser[] | Error)[]) {
    super(async () => 'token')
    this.#answers = answers
  }

  override async users(): Promise<DemoUser[]> {
    const answer = this.#answers.shift() ?? []
    if (answer instanceof Error) throw answer
    return answer
  }
}

describe('the people of the page', () => {
  it('are the others, who is there first, then by name', () => {
    const users = [user('Zoe'), user('Ada', 'offline'), user('me'), user('Bob')]

    expect(sorted(users, user('me').user_id).map(({ name }) => name)).to.deep.equal(['Bob', 'Zoe', 'Ada'])
  })

  it('have names, or a part of their id where nobody knows one', async () => {
    const people = new People(new Answers([user('Ada')]))
    await people.refresh()

    expect(people.nameOf(user('Ada').user_id)).to.equal('Ada')
    expect(people.nameOf('3f2504e0-4f89-41d3-9a0c-0305e82c3301')).to.equal('User 3f2504e0')
    expect(people.knows('3f2504e0-4f89-41d3-9a0c-0305e82c3301')).to.equal(false)
  })

  it('stay as they were while the service does not answer', async () => {
    const people = new People(new Answers([user('Ada')], new ServiceError('NETWORK_ERROR', 'No answer'), [user('Bob')]))
    await people.refresh()

    await people.refresh()
    expect(people.state.value).to.deep.include({ users: [user('Ada')], isStale: true })
    await people.refresh()
    expect(people.state.value).to.deep.include({ users: [user('Bob')], isStale: false })
  })
})
