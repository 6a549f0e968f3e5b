/**
 * An event of a stream (WHATWG HTML section 9.2). `data`: JSON, which has no line break. `id`: a text without one.
 */
export const eventText = (event: string, data: string, id?: string): string =>
  `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`
