/** Something that happens once. */
export type Signal = { readonly given: Promise<void>; give(): void }

/**
 * Makes a signal.
 *
 * @example
 * const landed = createSignal()
 */
export function createSignal(): Signal {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}
