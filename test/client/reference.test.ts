import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { clientReference } from '../../dev/client-reference/reference.ts'

describe('the reference of the client', () => {
  const page = clientReference()

  it('is what its types say: "make docs" writes it anew', () => {
    expect(readFileSync(join(import.meta.dirname, '../../client/API.md'), 'utf8')).to.equal(page)
  })

  it('has everything that the package exports, with signatures and what their comments say', () => {
    const headings = [...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => name)
    expect(headings.slice(0, 2)).to.deep.equal(['CallingClient', 'CallingClientOptions'])
    const exported = readFileSync(join(import.meta.dirname, '../../client/public-api.ts'), 'utf8')
    const names = [...exported.matchAll(/^export (?:type )?\{([^}]*)\} from/gm)].flatMap(([, list = '']) =>
      list.split(','),
    )
    expect(headings).to.have.members([...names.map((name) => name.trim().replace(/^type /, '')), 'Events'])
    expect(page).to.include('- `hangUp(reason?: EndRequestReason): Promise<void>`\n  Ends the call for both sides')
    expect(page).to.include('- `readonly state: CallState`\n  A new object after each change.')
  })

  it('shows nothing that is private or internal', () => {
    for (const name of ['#private', 'drop()', 'emit', 'hears']) expect(page).to.not.include(name)
  })
})
