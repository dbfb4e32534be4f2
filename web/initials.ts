/** What stands for a person without a picture. */

/** The first letters of the first and the last word, as a reader would take them. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s._-]+/).filter((word) => word !== '')
  const [first = '?', last] = words.length > 1 ? [words[0], words.at(-1)] : words
  return (firstLetter(first) + (last === undefined ? '' : firstLetter(last))).toUpperCase()
}

/** A colour on the wheel, in degrees: the same for the same id everywhere. */
export function hueOf(id: string): number {
  let hash = 0
  for (const char of id) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 3600
  return hash % 360
}

/** What a reader takes for one letter may be several characters. */
function firstLetter(word: string): string {
  return new Intl.Segmenter().segment(word)[Symbol.iterator]().next().value?.segment ?? ''
}
