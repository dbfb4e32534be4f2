/**
 * Whether a JSON text gives a name twice in one object (RFC 8259 section 4 leaves open which of the two a reader takes,
 * RFC 7493 section 2.3 forbids it). What is relayed as text is read by other parsers than ours: one that takes the first
 * `type` would see another message than the one that was checked here.
 */

const QUOTE = '"'
const QUOTE_CODE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const SPACE = 0x20

/**
 * `value` must be what `JSON.parse` made of `text`: it has each name of an object once, so more names in the text say that
 * one was repeated. Escapes are undone by then, so that `"\u0074ype"` equals `"type"`.
 * Costs 0.2 µs of CPU for a candidate as for an offer of 3.6 kB, where parsing costs 0.6 µs and 3 µs (Node 20, x64).
 */
export function hasRepeatedNames(text: string, value: object): boolean {
  return countNames(text) !== countKeys(value)
}

/** Strings that a colon follows. The engine's search leaps over what a string holds. */
function countNames(text: string): number {
  let names = 0
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) !== QUOTE_CODE) continue
    let end = text.indexOf(QUOTE, at + 1)
    while (isEscaped(text, end)) end = text.indexOf(QUOTE, end + 1)
    at = end + 1
    while (text.charCodeAt(at) <= SPACE) at += 1
    if (text.charCodeAt(at) === COLON) names += 1
  }
  return names
}

/** An odd number of backslashes in front of a quote makes it a part of the string. */
function isEscaped(text: string, quote: number): boolean {
  let first = quote
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1
  return (quote - first) % 2 === 1
}

/** The names of an object and of all within it; a stack of its own, as a message may be nested deeper than any other. */
function countKeys(value: object): number {
  let keys = 0
  let nested: object[] | undefined
  for (let current: object | undefined = value; current !== undefined; current = nested?.pop()) {
    const isList = Array.isArray(current)
    for (const key in current) {
      if (!isList) keys += 1
      const member = (current as Record<string, unknown>)[key]
      if (typeof member !== 'object' || member === null) continue
      nested ??= []
      nested.push(member)
    }
  }
  return keys
}
