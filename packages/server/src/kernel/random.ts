/** In [0, 1). Injected where a test must hold it, as time is. */
export type Random = () => number

export const systemRandom: Random = () => Math.random()
