// Preloaded into ours and rivals alike (`node --expose-gc --import`): SIGUSR2 makes a process collect its garbage, so
// that its memory shows what it holds and not what it has not thrown away yet.
process.on('SIGUSR2', () => {
  globalThis.gc()
  globalThis.gc()
})
