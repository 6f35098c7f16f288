/** What is dear to make is made when it is wanted for the first time: a start waits for nothing that may never be used. */
export const lazily = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
