import { render } from 'preact'
import { App } from './app.tsx'
import { FrontDoor } from './desk.tsx'

const page = document.getElementById('page')
if (page === null) throw new Error('The document has lost its page')
const door = new FrontDoor()
door.resume()
render(<App door={door} />, page)
