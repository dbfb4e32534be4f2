/** Files of certificates that variables name. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigError } from './environment.ts'

/**
 * The text of a PEM file with one certificate or several.
 * @throws ConfigError naming the variable where there is no such file or no certificate in it
 */
export function readPem(variable: string, file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`${variable} names a file that cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  try {
    new X509Certificate(text)
  } catch {
    throw new ConfigError(`${variable} names a file without a certificate in PEM.`)
  }
  return text
}
