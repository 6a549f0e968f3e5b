// The answers of the origins, which are the same for nginx and node.

/** The JSON of a small answer: 118 bytes. */
const small = JSON.stringify({
  id: "chatcmpl-0001",
  object: "chat.completion",
  model: "bench",
  choices: [{ index: 0, text: "a short answer" }],
}).padEnd(118, " ")

export const answers = {
  small,
  large: "l".repeat(64 * 1024),
}

/** The body of the POST: 1 KiB of JSON. */
export const postBody = JSON.stringify({ prompt: "p".repeat(1024 - 13) })

/** Size of a bulk answer and of an upload. */
export const bulkBytes = 64 * 2 ** 20

/** Interval of the events of each stream, in milliseconds. */
export const eventInterval = 24
