// Lines over an axis as SVG by hand: names stand at the ends of their lines.
const WIDTH = 760
const HEIGHT = 440
const LEFT = 60
const RIGHT = 230
const TOP = 48
const BOTTOM = 52
const TICKS = 5
/** Names at the right end are at least so far apart. */
const NAME_GAP = 16
const COLORS = ['#1558b0', '#b3261e', '#1f6f43', '#8a4b08', '#6a3d9a', '#666666']

export interface Line {
  name: string
  points: { x: number; y: number }[]
  color?: string
  dashed?: boolean
}

export interface LinePlot {
  /** Names its file. */
  key: string
  title: string
  caption?: string
  xName: string
  /** Where the axis is marked; evenly spread with `xScale` log2. */
  xMarks: number[]
  xScale?: 'linear' | 'log2'
  lines: Line[]
}

/** The whole picture. Lines without points are left out. */
export function drawLines(plot: LinePlot): string {
  const { title, caption = '', xName, xMarks, xScale = 'linear' } = plot
  const lines = plot.lines.filter(({ points }) => points.length > 0)
  const top = niceTop(Math.max(...lines.flatMap(({ points }) => points.map((point) => point.y))))
  const scaled = (at: number) => (xScale === 'log2' ? Math.log2(at) : at)
  const [first = 0, last = 1] = [xMarks[0], xMarks.at(-1)].map((mark) => scaled(mark ?? 0))
  const x = (at: number) => LEFT + ((scaled(at) - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT)
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="22" font-size="16" fill="#111111">${title}</text>`,
    `<text x="${LEFT}" y="38" fill="#555555">${caption}</text>`,
  ]
  for (let tick = 0; tick <= TICKS; tick++) {
    const value = Number(((top * tick) / TICKS).toPrecision(3))
    parts.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#dddddd"/>`)
    parts.push(`<text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end" fill="#555555">${value}</text>`)
  }
  for (const mark of xMarks)
    parts.push(`<text x="${x(mark)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#555555">${mark}</text>`)
  parts.push(
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle" fill="#555555">${xName}</text>`,
  )
  const colored = lines.map((line, index) => ({ ...line, color: line.color ?? COLORS[index % COLORS.length] }))
  let lastName = Number.NEGATIVE_INFINITY
  for (const { points, name, color, dashed } of colored.toSorted((a, b) => endOf(b) - endOf(a))) {
    const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ')
    const dash = dashed ? ' stroke-dasharray="5 4"' : ''
    parts.push(`<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"${dash}/>`)
    for (const point of points)
      parts.push(`<circle cx="${x(point.x).toFixed(1)}" cy="${y(point.y).toFixed(1)}" r="3.5" fill="${color}"/>`)
    const end = points.at(-1) ?? { x: 0, y: 0 }
    lastName = Math.max(y(end.y) + 4, lastName + NAME_GAP)
    const value = end.y >= 20 ? end.y.toFixed(0) : end.y.toFixed(1)
    parts.push(`<text x="${x(end.x) + 10}" y="${lastName.toFixed(1)}" fill="${color}">${name} (${value})</text>`)
  }
  return `${parts.join('\n')}\n</svg>\n`
}

function endOf({ points }: Line): number {
  return points.at(-1)?.y ?? 0
}

/** The axis ends at a number that divides into whole ticks. */
function niceTop(most: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(most, 1e-6)))
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= most) ?? 10
  return step * magnitude
}
