export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Polls until it is true, or the time is over. */
export const within = async (
  timeoutMs: number,
  isSo: () => boolean | Promise<boolean>,
  everyMs = 15,
): Promise<boolean> => {
  const end = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > end) return false
    await pause(everyMs)
  }
  return true
}
