import { createSecureContext, rootCertificates, type SecureContext } from "node:tls"
import type { ProxySettings } from "../domain/ProxyConfig.js"

/** The settings of TLS to the servers of sessions. */
export type DownstreamTlsSettings = Pick<ProxySettings, "downstreamCa" | "downstreamCert" | "downstreamKey">

/**
 * Certificates and key for every TLS connection to a session's server: made once, for reading them takes longer than a
 * handshake. Throws where a text is not what the settings say it is, or the key is not that of the certificate.
 */
export const downstreamSecureContext = (settings: DownstreamTlsSettings): SecureContext => {
  const { downstreamCa: ca, downstreamCert: cert, downstreamKey: key } = settings
  return createSecureContext({
    ...(ca !== "" && { ca: [...rootCertificates, ca] }),
    ...(cert !== "" && { cert }),
    ...(key !== "" && { key }),
  })
}
