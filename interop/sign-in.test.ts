import { signInWithAccounts } from '@groat/extensions/sign-in-with-x/client'
import { memorySignIns, signIns } from '@groat/extensions/sign-in-with-x/server'
import {
  createSIWxClientExtension,
  createSIWxResourceServerExtension,
  declareSIWxExtension,
  InMemorySIWxStorage,
} from '@x402/extensions/sign-in-with-x'
import { expect, test } from 'vitest'
import { useExtensions } from './extensions-kit.js'

const market = useExtensions()

test('EXT-SIGN-002 the official client signs in at our gate, and pays once for a pass', async () => {
  const { stage } = market
  const shop = await market.ourShop(() => [signIns({ store: memorySignIns() })], {
    price: '$0.001',
    pass: '1h',
    extensions: { 'sign-in-with-x': { statement: 'Use what you bought' } },
  })
  const account = market.account()
  const buy = market.officialBuyer(createSIWxClientExtension({ signers: [account] }) as never)
  const moved = await stage.moved(account.address, async () => {
    for (let i = 1; i <= 3; i++) expect(await (await buy(shop.url)).json()).toEqual({ served: i })
  })
  expect(moved).toMatchObject({ paid: 1000n, transfers: 1 })
})

test('EXT-SIGN-020 our payer signs in at the official server, and pays once', async () => {
  const { stage } = market
  const declared = declareSIWxExtension({ network: 'eip155:84532' })
  const shop = await market.officialShop(declared, (server, origin) => {
    server.registerExtension(createSIWxResourceServerExtension({ storage: new InMemorySIWxStorage(), origin }) as never)
  })
  const account = market.account()
  const buyer = market.ourBuyer({ extensions: [signInWithAccounts({ evm: account })] })
  const moved = await stage.moved(account.address, async () => {
    for (let i = 1; i <= 3; i++) expect(await (await buyer.fetch(shop.url)).json()).toEqual({ served: i })
  })
  expect(moved).toMatchObject({ paid: 1000n, transfers: 1 })
})
