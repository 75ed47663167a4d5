import { listen } from './http.mjs'

/** A facilitator that says yes to everything, at once: what is left is the server's own work. */
export function startStubFacilitator() {
  const kinds = [{ x402Version: 2, scheme: 'exact', network: 'eip155:84532' }]
  let transactions = 0
  return listen((request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      response.setHeader('content-type', 'application/json')
      if (request.url === '/supported') return response.end(JSON.stringify({ kinds, extensions: [], signers: {} }))
      const { paymentPayload } = JSON.parse(Buffer.concat(chunks).toString())
      const payer = paymentPayload.payload.authorization.from
      if (request.url === '/verify') return response.end(JSON.stringify({ isValid: true, payer }))
      const transaction = `0x${(++transactions).toString(16).padStart(64, '0')}`
      response.end(JSON.stringify({ success: true, payer, transaction, network: 'eip155:84532' }))
    })
  })
}
