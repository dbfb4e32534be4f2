/** Which section of the contract is held by which trials, as a table in Markdown. */
import { NEEDS } from './settings.ts'
import { type Trial, trialsBySection } from './trial.ts'

export function coverageTable(): string {
  const rows = trialsBySection().map(([{ source, heading }, trials]) => {
    const titles = trials.map(describeTrial).join('<br>')
    return `| ${source} | ${heading} | ${titles === '' ? '**none**' : titles} |`
  })
  return ['| page | section | trials |', '|---|---|---|', ...rows].join('\n')
}

function describeTrial({ title, needs }: Trial): string {
  return needs.length === 0 ? title : `${title} (needs ${needs.map((need) => NEEDS[need]).join(', ')})`
}
