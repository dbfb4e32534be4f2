// The image's health check: asks the internal listener of whichever part this container runs.
const given = process.env.METRICS_PORT?.trim()
const ports = given ? [given] : [9101, 9102, 9103]

const answers = await Promise.all(
  ports.map((port) =>
    fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined),
  ),
)
process.exit(answers.some((answer) => answer?.ok) ? 0 : 1)
