/** The trials: each holds a section of the contract, and says what it needs of the target. */
import type { Bench } from './bench.ts'
import { SECTIONS, type Section, type SectionName } from './sections.ts'
import type { Capability } from './settings.ts'

export interface Trial {
  section: Section
  title: string
  needs: Capability[]
  run(bench: Bench): Promise<void>
}

const trials: Trial[] = []

/** Adds a trial. Its title is a sentence that says what is right, and no other trial has it. */
export function trial(section: SectionName, title: string, run: Trial['run']): void
export function trial(section: SectionName, title: string, needs: Capability[], run: Trial['run']): void
export function trial(
  section: SectionName,
  title: string,
  needsOrRun: Capability[] | Trial['run'],
  runWithNeeds?: Trial['run'],
): void {
  const [needs, run] = typeof needsOrRun === 'function' ? [[], needsOrRun] : [needsOrRun, runWithNeeds as Trial['run']]
  if (findTrial(title) !== undefined) throw new Error(`Two trials are called "${title}"`)
  trials.push({ section: SECTIONS[section], title, needs, run })
}

export function findTrial(title: string): Trial | undefined {
  return trials.find((each) => each.title === title)
}

/** By section, in the order of the sections; one without a trial has an empty list. */
export function trialsBySection(): [Section, Trial[]][] {
  return Object.values(SECTIONS).map((section) => [section, trials.filter((each) => each.section === section)])
}
