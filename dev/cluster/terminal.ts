// What the processes of a cluster look like on a terminal: each line behind its process's name.

/** Told apart at a glance; ANSI 31 (red) is left to what is really wrong. */
const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94]

/** A printer of `gateway-1 | line`; with a colour a name where the output is a terminal that wants colours. */
export function createLinePrinter(output: NodeJS.WriteStream): (name: string, line: string) => void {
  const coloured = output.isTTY === true && !process.env.NO_COLOR
  const colours = new Map<string, number>()
  return (name, line) => {
    const label = name.padEnd(10)
    if (!coloured) {
      output.write(`${label} | ${line}\n`)
      return
    }
    const colour = colours.get(name) ?? COLOURS[colours.size % COLOURS.length] ?? 0
    colours.set(name, colour)
    output.write(`\x1b[${colour}m${label} |\x1b[0m ${line}\n`)
  }
}
