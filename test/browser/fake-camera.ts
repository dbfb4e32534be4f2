/** The picture that Chromium takes for a camera's. A small one: most of a browser test's processor time is its encoding. */
import { writeFileSync } from 'node:fs'

const WIDTH = 160
const HEIGHT = 120
/** The least that a decoder takes for moving pictures, and few enough to leave the processor to others. */
const FRAMES_A_SECOND = 5
const FRAMES = 10

/** Luminance of the ground, and of the bar that moves over it: what is bright is told from black (16). */
const GROUND = 150
const BAR = 235
const NO_COLOUR = 128

/** Writes a film in YUV4MPEG2, which Chromium plays over and over. */
export function writeCameraFilm(file: string): void {
  const head = `YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FRAMES_A_SECOND}:1 Ip A1:1 C420jpeg\n`
  const frames = Array.from({ length: FRAMES }, (_, at) => [Buffer.from('FRAME\n'), picture(at)]).flat()
  writeFileSync(file, Buffer.concat([Buffer.from(head), ...frames]))
}

/** A bar that stands at another place in each picture. */
function picture(at: number): Buffer {
  const luminance = Buffer.alloc(WIDTH * HEIGHT, GROUND)
  const barWidth = WIDTH / FRAMES
  for (let row = 0; row < HEIGHT; row++) {
    const start = row * WIDTH + at * barWidth
    luminance.fill(BAR, start, start + barWidth)
  }
  return Buffer.concat([luminance, Buffer.alloc((WIDTH * HEIGHT) / 2, NO_COLOUR)])
}
