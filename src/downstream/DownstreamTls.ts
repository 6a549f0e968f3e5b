import { Context } from "effect"
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { Warn } from "./Warn.js"

/** The settings of TLS connections to servers of sessions. */
export type DownstreamTlsSettings = Pick<ProxySettings, "downstreamCa" | "downstreamCert" | "downstreamKey">

/**
 * Replaces the certificates and key of the settings by some that may change while the proxy runs. The function is
 * called before each TLS connection, and must return the same object until they change. `undefined`: use the settings.
 */
export class DownstreamCertificates extends Context.Reference<DownstreamCertificates>()(
  "@ss-proxy/DownstreamCertificates",
  { defaultValue: (): (() => DownstreamTlsSettings) | undefined => undefined },
) {}

/**
 * The secure context of TLS connections to servers of sessions. Throws if a text is not valid PEM, or if the key does
 * not belong to the certificate.
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
 * The shared secure context of all TLS connections. It is made again only when the certificates change, because parsing
 * them takes longer than a handshake. Certificates that cannot be used leave the former context in force.
 */
export class TlsContext {
  private madeOf: DownstreamTlsSettings
  private context: SecureContext

  /** Throws if the present certificates cannot be used. */
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
      this.warn("the new certificates for servers of sessions cannot be used; the old ones stay in use", { problem })
    }
  }
}
