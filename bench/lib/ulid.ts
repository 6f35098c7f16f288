/** ULIDs for rows that are written past the server: of one moment, in the order in which they are asked for. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_LENGTH = 10
const COUNTER_LENGTH = 16

const inDigits = (value: number, length: number): string => {
  let text = ''
  for (let rest = value; text.length < length; rest = Math.floor(rest / DIGITS.length)) {
    text = (DIGITS[rest % DIGITS.length] ?? '') + text
  }
  return text
}

export const ulidsOf = (nowMs: number): (() => string) => {
  const time = inDigits(nowMs, TIME_LENGTH)
  let counter = 0
  return () => time + inDigits(counter++, COUNTER_LENGTH)
}
