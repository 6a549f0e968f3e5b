import { Context } from "effect"
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { Warn } from "./Warn.js"

/** The settings of TLS to the servers of sessions. */
export type DownstreamTlsSettings = Pick<ProxySettings, "downstreamCa" | "downstreamCert" | "downstreamKey">

/**
 * Certificates and key that may change while the proxy runs, in place of those of the settings: a function that is asked
 * whenever a TLS connection is about to be made, and gives the same object until they are others. Without one, those of
 * the settings are for good.
 */
export class DownstreamCertificates extends Context.Reference<DownstreamCertificates>()(
  "@ss-proxy/DownstreamCertificates",
  { defaultValue: (): (() => DownstreamTlsSettings) | undefined => undefined },
) {}

/**
 * Certificates and key for TLS connections to the servers of sessions. Throws where a text is not what the settings say
 * it is, or the key is not that of the certificate.
 */
export const downstreamSecureContext = (settings: DownstreamTlsSettings): SecureContext => {
  const { downstreamCa: ca, downstreamCert: cert, downstreamKey: key } = settings
  return createSecureContext({
    ...(ca !== "" && { ca: [...rootCertificates, ca] }),
    ...(cert !== "" && { cert }),
    ...(key !== "" && { key }),
  })
}

/**
 * The one context for all TLS connections: made anew when the certificates are others, and not before, for reading them
 * takes longer than a handshake. What cannot be used leaves the one before in force.
 */
export class TlsContext {
  private madeOf: DownstreamTlsSettings
  private context: SecureContext

  /** Throws where the certificates of this moment cannot be used. */
  constructor(
    private readonly certificates: () => DownstreamTlsSettings,
    private readonly warn: Warn,
  ) {
    this.madeOf = certificates()
    this.context = downstreamSecureContext(this.madeOf)
  }

  get current(): SecureContext {
    const certificates = this.certificates()
    if (certificates !== this.madeOf) this.renew(certificates)
    return this.context
  }

  private renew(certificates: DownstreamTlsSettings): void {
    this.madeOf = certificates
    try {
      this.context = downstreamSecureContext(certificates)
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause)
      this.warn("the new certificates for servers of sessions cannot be used; those before stay in force", { problem })
    }
  }
}
