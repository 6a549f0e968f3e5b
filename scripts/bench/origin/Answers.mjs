// What the origins answer, whichever program they are.

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

/** What a bulk answer and an upload hold. */
export const bulkBytes = 64 * 2 ** 20

/** How often each event stream gets an event, in milliseconds. */
export const eventInterval = 24
