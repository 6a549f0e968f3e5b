/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "the origin itself, no proxy between",
  webSockets: true,
}
