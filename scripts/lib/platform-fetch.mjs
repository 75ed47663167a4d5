// Before any test loads undici, which takes the place under the platform's fetch where that has not been used yet.
void globalThis.Headers
