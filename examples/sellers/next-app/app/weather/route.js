import { paid } from '../../shop.js'

// What is paid for is not rendered ahead.
export const dynamic = 'force-dynamic'

export const GET = paid('$0.001', (_, { payment }) => Response.json({ temperature: 11, paidBy: payment.payer }))
