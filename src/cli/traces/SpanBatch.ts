/**
 * Spans that go to a collector together: bytes, outside of the heap. As objects, or as text, they would be copied by the
 * garbage collector again and again while they wait.
 */
export class SpanBatch {
  spans = 0
  private bytes: Buffer
  private length: number

  /** `before` and `behind`: what stands around the spans; `room`: how many bytes they may well need. */
  constructor(
    before: string,
    private readonly behind: string,
    room: number,
  ) {
    this.bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(before) + Buffer.byteLength(behind) + room)
    this.length = this.bytes.write(before)
  }

  /** `span`: as OTLP has it in JSON. */
  add(span: string): void {
    // No character of UTF-16 takes more than three bytes; one more for the comma.
    this.makeRoom(3 * span.length + 1)
    if (this.spans > 0) this.bytes[this.length++] = 0x2c
    this.length += this.bytes.write(span, this.length)
    this.spans++
  }

  /** All of it, when no more will come. */
  finished(): Uint8Array {
    this.makeRoom(3 * this.behind.length)
    this.length += this.bytes.write(this.behind, this.length)
    return this.bytes.subarray(0, this.length)
  }

  private makeRoom(needed: number): void {
    if (this.length + needed <= this.bytes.byteLength) return
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.byteLength, this.length + needed))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}
