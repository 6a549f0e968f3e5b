import { X509Certificate } from "node:crypto"

const certificatePattern = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g

/**
 * The certificates of a PEM text, in order. Throws if there is none, or if one cannot be read, because TLS would ignore
 * it silently.
 */
export const certificatesOf = (pem: string): readonly [X509Certificate, ...ReadonlyArray<X509Certificate>] => {
  const [first, ...others] = (pem.match(certificatePattern) ?? []).map((text) => new X509Certificate(text))
  if (first === undefined) throw new Error("there is no certificate in it")
  return [first, ...others]
}
