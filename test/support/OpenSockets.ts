/** How many TCP connections this process has open, as far as the event loop knows; listeners are not among them. */
export const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((resource) => resource === "TCPSocketWrap").length
