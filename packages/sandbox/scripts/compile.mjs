// The contracts of contracts/, and Permit2 from its npm sources, through the pinned solc.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const contracts = join(dirname(dirname(fileURLToPath(import.meta.url))), 'contracts')

const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: 'cancun',
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
}

/** What solc is asked, each with a hash of that and of solc's version: the same hash, the same bytes. */
export function readInputs() {
  const own = filesBelow(contracts).filter(([path]) => !path.startsWith('permit2/'))
  return {
    own: hashed({ language: 'Solidity', sources: asSources(own), settings }),
    permit2: hashed({ language: 'Solidity', sources: permit2Sources(), settings: { ...settings, viaIR: true } }),
  }
}

function hashed(input) {
  const { version } = require('solc/package.json')
  const hash = createHash('sha256').update(JSON.stringify([version, input]))
  return { input, hash: hash.digest('hex') }
}

/** Contract name to `{ abi, creation }`; the creation code wants its constructor's arguments appended. */
export function compileAll({ own, permit2 }) {
  return { ...compile(own.input), ...compile(permit2.input) }
}

function compile(input) {
  const output = JSON.parse(require('solc').compile(JSON.stringify(input)))
  if (output.errors) throw new Error(output.errors.map((error) => error.formattedMessage).join('\n'))
  return Object.fromEntries(
    Object.values(output.contracts).flatMap((file) =>
      Object.entries(file).map(([name, { abi, evm }]) => [name, { abi, creation: `0x${evm.bytecode.object}` }]),
    ),
  )
}

/**
 * Permit2 as npm has it. Its pragma names one old compiler and is widened; the two files that it imports from solmate
 * (AGPL) are ours, so that all that is compiled in is MIT or Apache-2.0.
 */
function permit2Sources() {
  const root = join(dirname(require.resolve('@uniswap/v4-periphery/package.json')), 'lib/permit2/src')
  const unused = ['interfaces/IPermit2.sol', 'interfaces/IDAIPermit.sol', 'libraries/Permit2Lib.sol']
  const theirs = filesBelow(root).filter(([path]) => !unused.includes(path))
  const pragma = ['pragma solidity 0.8.17;', 'pragma solidity ^0.8.17;']
  return {
    ...asSources(theirs.map(([path, text]) => [`permit2/${path}`, text.replace(...pragma)])),
    ...asSources([
      ['solmate/src/tokens/ERC20.sol', read('permit2/ERC20.sol')],
      ['solmate/src/utils/SafeTransferLib.sol', read('permit2/SafeTransferLib.sol').replace('./', '../tokens/')],
    ]),
  }
}

function filesBelow(root, prefix = '') {
  return readdirSync(join(root, prefix), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${prefix}${entry.name}`
      return entry.isDirectory() ? filesBelow(root, `${path}/`) : [[path, readFileSync(join(root, path), 'utf8')]]
    })
}

function read(path) {
  return readFileSync(join(contracts, path), 'utf8')
}

function asSources(files) {
  return Object.fromEntries(files.map(([path, content]) => [path, { content }]))
}
