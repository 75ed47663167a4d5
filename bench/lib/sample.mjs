// A payment as a client of version 2 sends it, signed with a public test key.
const accepted = {
  scheme: 'exact',
  network: 'eip155:84532',
  amount: '10000',
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  maxTimeoutSeconds: 300,
  extra: { name: 'USDC', version: '2' },
}

export const samplePayment = {
  x402Version: 2,
  payload: {
    signature:
      '0xd6f621c8795d5a591106925400f9e441cd7b3237689fa98325e2a246548254895f4ae3e2a584ec5139873aaed8433bae4fd80ced953eb81b087707c10464189a1c',
    authorization: {
      from: '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
      to: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
      value: '10000',
      validAfter: '0',
      validBefore: '2000000000',
      nonce: `0x${'11'.repeat(32)}`,
    },
  },
  resource: { url: 'https://api.shop.test/quote', description: 'Live quote', mimeType: 'application/json' },
  accepted,
}
