import { type Address, parseAddress } from '../wire/address.js'
import { parseBase58 } from '../wire/base58.js'
import { invalidParams } from './rpc-error.js'

/** The parameters of a call, by position. */
export type Params = readonly unknown[]

/** The configuration object of a call. */
export type Config = { readonly [name: string]: unknown }

/** How sure the chain must be of what a node tells. */
export type Commitment = 'processed' | 'confirmed' | 'finalized'

// All of these throw `invalidParams`.

/** Text that must be there. */
export function textAt(params: Params, index: number): string {
  const value = params[index]
  if (value === undefined) throw invalidParams(`\`params\` should have at least ${index + 1} argument(s)`)
  if (typeof value !== 'string') throw wrongType(value, 'a string')
  return value
}

/** A whole number, zero or more, that must be there. */
export function integerAt(params: Params, index: number): number {
  const value = params[index]
  if (value === undefined) throw invalidParams(`\`params\` should have at least ${index + 1} argument(s)`)
  return asInteger(value)
}

/** A list that must be there, of at most so many texts. */
export function textsAt(params: Params, index: number, most: number): string[] {
  const value = params[index]
  if (!Array.isArray(value)) throw wrongType(value, 'a sequence')
  if (value.length > most) throw invalidParams(`Too many inputs provided; max ${most}`)
  return value.map((_, i) => textAt(value, i))
}

/** An address that must be there. */
export function addressAt(params: Params, index: number): Address {
  return asAddress(textAt(params, index))
}

/** The same text when it is an address. */
export function asAddress(text: string): Address {
  if (parseAddress(text) === undefined) throw invalidParams(`Invalid param: ${flaw(text)}`)
  return text
}

/** The same text when it is a signature. */
export function asSignature(text: string): string {
  if (parseBase58(text)?.length !== 64) throw invalidParams(`Invalid param: ${flaw(text)}`)
  return text
}

/** A configuration object; empty when there is none. */
export function configAt(params: Params, index: number): Config {
  const value = params[index] ?? {}
  if (!isConfig(value)) throw wrongType(value, 'a configuration')
  return value
}

/** Whether it is an object that can be read as configuration. */
export function isConfig(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member of a configuration, or undefined. */
export function textIn(config: Config, name: string): string | undefined {
  const value = config[name] ?? undefined
  if (value !== undefined && typeof value !== 'string') throw wrongType(value, 'a string')
  return value
}

/** A member of a configuration; false when it is not there. */
export function flagIn(config: Config, name: string): boolean {
  const value = config[name] ?? false
  if (typeof value !== 'boolean') throw wrongType(value, 'a boolean')
  return value
}

/** A member of a configuration, or undefined. */
export function integerIn(config: Config, name: string): number | undefined {
  const value = config[name] ?? undefined
  return value === undefined ? undefined : asInteger(value)
}

/** One of some texts, or undefined. */
export function choiceIn<T extends string>(config: Config, name: string, choices: readonly T[]): T | undefined {
  const value = textIn(config, name)
  const choice = choices.find((each) => each === value)
  if (value !== undefined && choice === undefined) {
    throw invalidParams(`Invalid params: unknown variant \`${value}\`, expected one of \`${choices.join('`, `')}\`.`)
  }
  return choice
}

/** The commitment that is asked for; undefined when none is. */
export function commitmentIn(config: Config, name = 'commitment'): Commitment | undefined {
  return choiceIn(config, name, ['processed', 'confirmed', 'finalized'])
}

function asInteger(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrongType(value, 'u64')
  return value
}

function wrongType(value: unknown, expected: string) {
  return invalidParams(`Invalid params: invalid type: ${value === null ? 'null' : typeof value}, expected ${expected}.`)
}

function flaw(text: string): string {
  return parseBase58(text) === undefined ? 'Invalid' : 'WrongSize'
}
