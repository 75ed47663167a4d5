import { address, generateKeyPairSigner } from '@solana/kit'
import { findAssociatedTokenPda } from '@solana-program/token'
import { expect, test } from 'vitest'
import { programs } from '../programs.js'
import { associatedTokenAddress } from './derived-address.js'

test('token accounts are where kit’s clients look for them', async () => {
  for (const tokenProgram of [programs.token, programs.token2022].map((each) => address(each))) {
    for (let i = 0; i < 10; i++) {
      const [owner, mint] = [(await generateKeyPairSigner()).address, (await generateKeyPairSigner()).address]
      expect(associatedTokenAddress(owner, mint, tokenProgram)).toBe(
        (await findAssociatedTokenPda({ owner, mint, tokenProgram }))[0],
      )
    }
  }
})
