import type { Methods } from './method.js'
import { accountMethods } from './methods/accounts.js'
import { blockhashMethods } from './methods/blockhashes.js'
import { historyMethods } from './methods/history.js'
import { statusMethods } from './methods/status.js'
import { submissionMethods } from './methods/submission.js'
import { tokenMethods } from './methods/tokens.js'

/** Every method that a node answers over HTTP. */
export const methods: Methods = {
  ...statusMethods,
  ...blockhashMethods,
  ...accountMethods,
  ...tokenMethods,
  ...historyMethods,
  ...submissionMethods,
}
