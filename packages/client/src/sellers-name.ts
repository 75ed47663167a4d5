/** What sellers call what they sell, by their challenges, where a transport of another kind than HTTP has the payer know it by another URL. No answer of a server can say so. */
export const sellersNames = new WeakMap<Response, string>()
