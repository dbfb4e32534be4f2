/** One of a few: radio buttons that look like what they are, a row of segments. */
import { useId } from 'preact/hooks'

export function Choice<T extends string | undefined>(props: {
  legend: string
  options: readonly { value: T; label: string }[]
  value: T
  choose(value: T): void
}) {
  const { legend, options, value, choose } = props
  const name = useId()
  return (
    <fieldset class="choice">
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option.label} class={option.value === value ? 'chosen' : ''}>
          <input type="radio" name={name} checked={option.value === value} onChange={() => choose(option.value)} />
          {option.label}
        </label>
      ))}
    </fieldset>
  )
}
