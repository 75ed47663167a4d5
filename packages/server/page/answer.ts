/** Shows what was bought: text as text, pictures as pictures, pages without their scripts; and all of it can be saved. */
export async function showAnswer(response: Response, into: HTMLElement): Promise<void> {
  const type = response.headers.get('content-type') ?? ''
  const blob = await response.blob()
  const url = URL.createObjectURL(blob)
  const shown = await viewOf(type, blob, url)
  const save = document.createElement('a')
  save.className = 'save'
  save.href = url
  save.download = location.pathname.split('/').filter(Boolean).at(-1) ?? 'answer'
  save.textContent = 'Save it'
  into.replaceChildren(...(shown === undefined ? [] : [shown]), save)
}

async function viewOf(type: string, blob: Blob, url: string): Promise<HTMLElement | undefined> {
  if (/^image\//.test(type)) return Object.assign(document.createElement('img'), { src: url, alt: 'What you bought' })
  if (/^text\/html/.test(type)) {
    const frame = Object.assign(document.createElement('iframe'), { src: url, title: 'What you bought' })
    frame.setAttribute('sandbox', '')
    return frame
  }
  if (!/^text\/|json|xml|javascript/.test(type) && type !== '') return undefined
  const text = await blob.text()
  const view = Object.assign(document.createElement('pre'), { tabIndex: 0, textContent: readable(type, text) })
  view.setAttribute('aria-label', 'What you bought')
  return view
}

function readable(type: string, text: string): string {
  if (!/json/.test(type)) return text
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
