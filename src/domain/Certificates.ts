import { X509Certificate } from "node:crypto"

const certificatePattern = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g

/**
 * The certificates of a PEM text, in order. Throws where there is none, or one cannot be read: TLS would pass over it without
 * a word.
 */
export const certificatesOf = (pem: string): readonly [X509Certificate, ...ReadonlyArray<X509Certificate>] => {
  const [first, ...others] = (pem.match(certificatePattern) ?? []).map((text) => new X509Certificate(text))
  if (first === undefined) throw new Error("there is no certificate in it")
  return [first, ...others]
}
