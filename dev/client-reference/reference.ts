// Writes the reference of the client library from its declarations, as whoever installs the package has them. The
// compiler's own parser reads them; its programming interface is still called unstable, so nothing but this file uses it.
import { join } from 'node:path'
import {
  type ClassElement,
  isClassDeclaration,
  isExportDeclaration,
  isInterfaceDeclaration,
  isNamedExports,
  isStringLiteral,
  isTypeAliasDeclaration,
  isTypeLiteralNode,
  type Node,
  type SourceFile,
  type TypeElement,
} from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'

const root = join(import.meta.dirname, '../..')
const ENTRY = join(root, 'client/dist/types/client/public-api.d.ts')

/** What a reader looks for first; the rest follows by name. */
const FIRST = ['CallingClient', 'CallingClientOptions', 'CallOptions', 'ClientEvents', 'ClientState']
const THEN = [
  'Call',
  'CallEvents',
  'CallState',
  'CallPhase',
  'CallEndReason',
  'Events',
  'CallingError',
  'CallingErrorCode',
]
/** Not exported by itself, but both classes are one. */
const BASES = [{ name: 'Events', module: './events.js' }]

const HEAD = `# Reference

What \`@tchat/calling-client\` exports.
Made from the types of the package by \`make docs\`; do not edit it.
The [README](README.md) says what it is for.
`

type Finder = (path: string) => SourceFile

/** The whole page. @throws where the package was not built */
export function clientReference(): string {
  const api = new API({ cwd: root })
  try {
    const snapshot = api.updateSnapshot({ openFiles: [ENTRY] })
    const program = snapshot.getDefaultProjectForFile(ENTRY)?.program
    const find: Finder = (path) => {
      const file = program?.getSourceFile(path)
      if (file === undefined) throw new Error(`${path} is missing. Run "make build" first.`)
      return file
    }
    const exported = [...exportsOf(find(ENTRY)), ...BASES]
    const sections = exported
      .sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1))
      .map(({ name, module }) => section(find(join(ENTRY, '..', module.replace(/\.js$/, '.d.ts'))), name))
    return [HEAD, ...sections].join('\n')
  } finally {
    api.close()
  }
}

function exportsOf(entry: SourceFile): { name: string; module: string }[] {
  return entry.statements.flatMap((statement) => {
    if (!isExportDeclaration(statement)) return []
    const { exportClause, moduleSpecifier } = statement
    if (exportClause === undefined || !isNamedExports(exportClause)) return []
    if (moduleSpecifier === undefined || !isStringLiteral(moduleSpecifier)) return []
    return exportClause.elements.map(({ name }) => ({ name: name.text, module: moduleSpecifier.text }))
  })
}

function rank(name: string): number {
  const place = [...FIRST, ...THEN].indexOf(name)
  return place === -1 ? Number.MAX_SAFE_INTEGER : place
}

function section(file: SourceFile, name: string): string {
  for (const statement of file.statements) {
    const isOne =
      isClassDeclaration(statement) || isInterfaceDeclaration(statement) || isTypeAliasDeclaration(statement)
    if (!isOne || statement.name?.text !== name) continue
    const about = [`## ${name}`, documentation(statement).join('\n')]
    if (isTypeAliasDeclaration(statement)) {
      if (isTypeLiteralNode(statement.type)) return page([...about, ...members(name, statement.type.members)])
      return page([...about, code(statement.getText().replace(/^export (declare )?|;$/g, ''))])
    }
    const heritage = statement.heritageClauses?.map((clause) => ` ${clause.getText()}`).join('') ?? ''
    const kind = isClassDeclaration(statement) ? 'class' : 'interface'
    const parameters = statement.typeParameters?.map((one) => one.getText()).join(', ')
    const title = `${kind} ${name}${parameters === undefined ? '' : `<${parameters}>`}${heritage}`
    // Alone the name is above already.
    const head = title === `${kind} ${name}` ? '' : code(title.replace(/\s+/g, ' '))
    return page([...about, head, ...members(name, statement.members)])
  }
  throw new Error(`${name} is not declared where it is exported from`)
}

function members(owner: string, elements: readonly (ClassElement | TypeElement)[]): string[] {
  const shown = elements.filter((element) => !/^(#|private\b)/.test(element.getText()))
  const lines = shown.flatMap((element) => {
    const signature = element
      .getText()
      .replace(/\s+/g, ' ')
      .replace(/;$/, '')
      .replace(/^constructor\(/, `new ${owner}(`)
      // Read like a property, so written like one.
      .replace(/^get (\w+)\(\)/, 'readonly $1')
    return [`- \`${signature}\``, ...documentation(element).map((line) => `  ${line}`)]
  })
  return lines.length === 0 ? [] : [lines.join('\n')]
}

/** A comment as sentences, each on a line of its own. */
function documentation(node: Node): string[] {
  const comment = node.jsDoc?.at(-1)?.getText() ?? ''
  const text = comment
    .replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^\s*\* ?/gm, '')
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .replace(/@throws /g, 'Throws ')
    .replace(/\s+/g, ' ')
    .trim()
  const sentences = text.split(/(?<=[.!?]) (?=[A-Z`])/).filter((sentence) => sentence !== '')
  return sentences.map((sentence) => (/[.!?:]$/.test(sentence) ? sentence : `${sentence}.`))
}

const code = (text: string) => `\`\`\`ts\n${text}\n\`\`\``

/** Paragraphs of a section. */
function page(paragraphs: string[]): string {
  return `${paragraphs.filter((paragraph) => paragraph !== '').join('\n\n')}\n`
}
