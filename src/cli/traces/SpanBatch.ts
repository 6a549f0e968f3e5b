import type { Tracer } from "effect"
import { packed, type PackedText } from "../../wire/PackedText.js"

/** A span that is over, as far as a collector is told of it. Times are nanoseconds since the epoch. */
export interface EndedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Of the span that it is a part of, and whether that is somebody else's. */
  readonly parent: { readonly spanId: string; readonly isRemote: boolean } | undefined
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly startTime: bigint
  readonly endTime: bigint
  /** Names, from a closed list, and values; of one attribute both have the same index. */
  readonly attributeNames: ReadonlyArray<string>
  readonly attributeValues: ReadonlyArray<unknown>
  readonly events: ReadonlyArray<{ readonly name: string; readonly time: bigint }>
  readonly isError: boolean
}

const comma = 44

/** By its code, whether a character stands in JSON as it is: 1 where it does. */
const isPlain = Uint8Array.from({ length: 128 }, (_, code) => (/[ !#-[\]-~]/.test(String.fromCharCode(code)) ? 1 : 0))

/** What stands before the value of an attribute, by what that is. */
class AttributeHead {
  readonly beforeText: PackedText
  readonly beforeInteger: PackedText
  readonly beforeDouble: PackedText
  readonly beforeTruth: PackedText

  constructor(name: string) {
    const before = `{"key":${JSON.stringify(name)},"value":{`
    this.beforeText = packed(`${before}"stringValue":"`)
    this.beforeInteger = packed(`${before}"intValue":`)
    this.beforeDouble = packed(`${before}"doubleValue":`)
    this.beforeTruth = packed(`${before}"boolValue":`)
  }
}

/** By the names of attributes, which nobody outside chooses. */
const attributeHeads = new Map<string, AttributeHead>()

const attributeHead = (name: string): AttributeHead => {
  const known = attributeHeads.get(name)
  if (known !== undefined) return known
  const head = new AttributeHead(name)
  attributeHeads.set(name, head)
  return head
}

// `flags` of OTLP: sampled, and whether its parent is somebody else's is known, or is so.
const sampled = 0x101
const belowRemote = 0x301

const beforeStart = (kind: number): PackedText => packed(`","kind":${kind},"startTimeUnixNano":"`)

/** As OTLP numbers them. */
const kinds: Readonly<Record<Tracer.SpanKind, PackedText>> = {
  internal: beforeStart(1),
  server: beforeStart(2),
  client: beforeStart(3),
  producer: beforeStart(4),
  consumer: beforeStart(5),
}

const texts = {
  beforeTrace: packed(`{"traceId":"`),
  beforeSpan: packed(`","spanId":"`),
  beforeParent: packed(`","parentSpanId":"`),
  beforeName: packed(`","flags":${sampled},"name":"`),
  beforeNameBelowRemote: packed(`","flags":${belowRemote},"name":"`),
  beforeEnd: packed(`","endTimeUnixNano":"`),
  beforeAttributes: packed(`","attributes":[`),
  behindText: packed(`"}}`),
  behindValue: packed(`}}`),
  beforeEvents: packed(`],"events":[`),
  beforeEvent: packed(`{"name":"`),
  beforeTime: packed(`","timeUnixNano":"`),
  behindEvent: packed(`"}`),
  good: packed(`],"status":{}}`),
  bad: packed(`],"status":{"code":2}}`),
  beforeOrigin: packed(`{"resourceSpans":[{"resource":{"attributes":[`),
  beforeSpans: packed(`]},"scopeSpans":[{"scope":{"name":"ss-proxy"},"spans":[`),
  behindSpans: packed(`]}]}]}`),
}

/**
 * Spans that go to a collector together, as OTLP has them in JSON (its specification, "JSON Protobuf Encoding"): made as bytes
 * where they are to be, outside of the heap. Of objects or pieces of text the garbage collector would make more work than all
 * else that is done about a span.
 */
export class SpanBatch {
  spans = 0
  private bytes: Buffer
  private view: DataView
  private at = 0

  /** `origin`: attributes of where all spans come from; `room`: how many bytes they may well need. */
  constructor(origin: ReadonlyMap<string, unknown>, room: number) {
    this.bytes = Buffer.allocUnsafeSlow(room)
    this.view = viewOf(this.bytes)
    this.packed(texts.beforeOrigin)
    this.attributes([...origin.keys()], [...origin.values()])
    this.packed(texts.beforeSpans)
  }

  add(span: EndedSpan): void {
    if (this.spans++ > 0) this.put(comma)
    this.packed(texts.beforeTrace)
    this.ascii(span.traceId)
    this.packed(texts.beforeSpan)
    this.ascii(span.spanId)
    if (span.parent !== undefined) {
      this.packed(texts.beforeParent)
      this.ascii(span.parent.spanId)
    }
    this.packed(span.parent?.isRemote === true ? texts.beforeNameBelowRemote : texts.beforeName)
    this.ascii(span.name)
    this.packed(kinds[span.kind])
    this.ascii(String(span.startTime))
    this.packed(texts.beforeEnd)
    this.ascii(String(span.endTime))
    this.packed(texts.beforeAttributes)
    this.attributes(span.attributeNames, span.attributeValues)
    this.packed(texts.beforeEvents)
    this.events(span.events)
    this.packed(span.isError ? texts.bad : texts.good)
  }

  /** All of it, when no more will come. */
  finished(): Uint8Array {
    this.packed(texts.behindSpans)
    return this.bytes.subarray(0, this.at)
  }

  private attributes(names: ReadonlyArray<string>, values: ReadonlyArray<unknown>): void {
    for (let index = 0; index < names.length; index++) {
      if (index > 0) this.put(comma)
      this.attribute(attributeHead(names[index] ?? ""), values[index])
    }
  }

  /** What is no text, number or truth value is told as a text. */
  private attribute(head: AttributeHead, value: unknown): void {
    if (typeof value === "number" && Number.isFinite(value)) {
      this.packed(Number.isSafeInteger(value) ? head.beforeInteger : head.beforeDouble)
      this.ascii(String(value))
      this.packed(texts.behindValue)
    } else if (typeof value === "boolean") {
      this.packed(head.beforeTruth)
      this.ascii(String(value))
      this.packed(texts.behindValue)
    } else {
      this.packed(head.beforeText)
      this.text(typeof value === "string" ? value : String(value))
      this.packed(texts.behindText)
    }
  }

  private events(events: EndedSpan["events"]): void {
    for (const [index, { name, time }] of events.entries()) {
      if (index > 0) this.put(comma)
      this.packed(texts.beforeEvent)
      this.ascii(name)
      this.packed(texts.beforeTime)
      this.ascii(String(time))
      this.packed(texts.behindEvent)
    }
  }

  private put(byte: number): void {
    this.makeRoom(1)
    this.bytes[this.at++] = byte
  }

  private packed({ length, words }: PackedText): void {
    this.makeRoom(4 * words.length)
    const { at, view } = this
    for (let index = 0; index < words.length; index++) view.setInt32(at + index * 4, words[index] ?? 0, true)
    this.at = at + length
  }

  /** A text of ours: of ASCII, with nothing in it that JSON would have to escape. */
  private ascii(text: string): void {
    this.makeRoom(text.length)
    const { at, bytes } = this
    for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index)
    this.at = at + text.length
  }

  /** A text of anybody's, without quotes around it. */
  private text(text: string): void {
    this.makeRoom(text.length)
    const { at, bytes } = this
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (isPlain[code] !== 1) return this.escaped(text)
      bytes[at + index] = code
    }
    this.at = at + text.length
  }

  private escaped(text: string): void {
    const json = JSON.stringify(text).slice(1, -1)
    // No character of UTF-16 takes more than three bytes.
    this.makeRoom(3 * json.length)
    this.at += this.bytes.write(json, this.at)
  }

  private makeRoom(needed: number): void {
    if (this.at + needed <= this.bytes.byteLength) return
    const larger = Buffer.allocUnsafeSlow(2 * this.bytes.byteLength + needed)
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
    this.view = viewOf(larger)
  }
}

/** The same memory, for numbers of several bytes. */
const viewOf = ({ buffer, byteLength, byteOffset }: Buffer): DataView => new DataView(buffer, byteOffset, byteLength)
