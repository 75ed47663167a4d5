import { createPayer } from '@groat/client'
import { isNetwork, X402Error } from '@groat/core'
import { showAnswer } from './answer.js'
import { findEvmWallets } from './evm-wallets.js'
import { type PageOffer, readPageData } from './offer.js'
import { findSvmWallets } from './svm-wallets.js'
import type { Wallet } from './wallet.js'

// A page for a person: what is bought, from whom, for how much, and the wallets of this browser that can pay it.

const data = readPageData()
const wallets = element('wallets')
const say = element('say')
let busy = false

findEvmWallets(offer)
findSvmWallets(data.rpc, offer)

/** Adds a button for each way in which a wallet can pay. */
function offer(wallet: Wallet): void {
  for (const each of data.offers.filter(
    ({ scheme, network, limit }) => scheme === 'exact' && limit !== undefined && wallet.serves(network),
  )) {
    document.getElementById('none')?.remove()
    const icon = document.createElement('img')
    icon.alt = ''
    if (/^data:image\//.test(wallet.icon)) icon.src = wallet.icon
    const button = document.createElement('button')
    button.type = 'button'
    const price = document.createElement('small')
    price.textContent = `${each.price} on ${each.name}`
    const words = document.createElement('span')
    words.append(`Pay with ${wallet.name} `, price)
    button.append(...(icon.src === '' ? [] : [icon]), words)
    button.addEventListener('click', () => void pay(wallet, each))
    const item = document.createElement('li')
    item.append(button)
    wallets.append(item)
  }
}

async function pay(wallet: Wallet, { network, price, limit = '$0', payTo }: PageOffer): Promise<void> {
  if (busy || !isNetwork(network)) return
  setBusy(true)
  tell(`${wallet.name} asks you to confirm ${price}.`)
  try {
    const scheme = await wallet.connect(network)
    const payer = createPayer({
      schemes: [scheme],
      // What the page showed, and nothing else.
      policy: {
        perPayment: limit,
        networks: [network],
        recipients: [payTo],
        origins: [location.origin],
        resource: 'any',
      },
    })
    const response = await payer.fetch(location.href, { headers: { accept: '*/*' } })
    const receipt = payer.receipt(response)
    if (receipt === undefined) {
      tell(refusalOf(payer.outcome(response)), 'bad')
      return setBusy(false)
    }
    tell(
      response.ok
        ? `Paid ${price}.`
        : `Paid ${price}, and the seller answered ${response.status}. Load the page again for what is owed to you.`,
      'good',
    )
    element('pay').hidden = true
    const answer = element('answer')
    await showAnswer(response, answer)
    answer.focus()
  } catch (error) {
    tell(wordsOf(error), 'bad')
    setBusy(false)
  }
}

function refusalOf(outcome: unknown): string {
  const code = (outcome as { readonly code?: unknown } | undefined)?.code
  return `Nothing was paid${typeof code === 'string' ? `: ${code.replaceAll('_', ' ')}` : ''}.`
}

function wordsOf(error: unknown): string {
  if (X402Error.is(error)) {
    if (error.code === 'signer_failed') return 'Nothing was paid: the wallet did not sign.'
    if (error.code === 'payment_unresolved')
      return 'Nobody knows yet whether it was paid. Try again with the same wallet in a minute; you will not pay twice.'
    return `It did not work: ${error.code.replaceAll('_', ' ')}.`
  }
  const message = (error as { readonly message?: unknown } | undefined)?.message
  return `Nothing was paid. ${typeof message === 'string' ? message : 'The wallet refused.'}`
}

function setBusy(now: boolean): void {
  busy = now
  for (const button of document.querySelectorAll('button')) button.disabled = now
}

function tell(text: string, kind = ''): void {
  say.className = `say ${kind}`
  say.textContent = text
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(id)
  return found
}
