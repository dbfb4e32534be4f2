/** The version of this package; a test holds it to package.json. */
export const SERVICE_VERSION = '1.0.0'
