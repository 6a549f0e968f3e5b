/** The call for the events of these sessions: commas stand between ids, so no query is made of them that encodes those, too. */
export const eventsPath = (ids: ReadonlyArray<string>): string =>
  ids.length === 0 ? "/v1/events" : `/v1/events?sessions=${ids.map(encodeURIComponent).join(",")}`
