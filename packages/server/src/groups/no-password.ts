import { AppError } from '../kernel/app-error.ts'

/** Of a group that asks for a password and has none, or is given none. */
export const noPassword = (): AppError =>
  new AppError('ERR_EMPTY_GROUP_PASS', { details: { password: 'is required for a group of type password' } })
