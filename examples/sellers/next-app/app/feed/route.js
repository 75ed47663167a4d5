import { paid } from '../../shop.js'

export const dynamic = 'force-dynamic'

// An answer that leaves while it is made is paid for first.
export const GET = paid({ price: '$0.002', mode: 'upfront', streams: true }, () => {
  const lines = ['tick', 'tock']
  const body = new ReadableStream({
    pull(controller) {
      const line = lines.shift()
      if (line === undefined) controller.close()
      else controller.enqueue(new TextEncoder().encode(`data: ${line}\n\n`))
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
})
