/** What Kubernetes puts into the environment of pods for a service of any name, among others one named `ss-proxy`. */
const ofService = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/

/** What it puts into NAME_PORT. */
const address = /^(?:tcp|udp|sctp):\/\//

/** Whether a variable is of Kubernetes, and not for the proxy. */
export const isServiceLink = (name: string, value: string): boolean =>
  ofService.test(name) || (name.endsWith("_PORT") && address.test(value))

/** What to do where such a variable has the name of one of the proxy, behind a message about its value. */
export const serviceLinkHint =
  "; Kubernetes sets it for a service of this name: rename the service, set enableServiceLinks: false, or give the flag"
