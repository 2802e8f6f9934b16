/**
 * Bounds the work in flight: so many messages, so many bytes, first come first served. A message larger than all the room is let in alone, so
 * nothing waits for ever. All sources share one gate; what waits for it holds nothing but its place.
 */
export interface GateLimits {
  readonly bytesMax: number;
  readonly messagesMax: number;
}

export class Gate {
  readonly #limits: GateLimits;
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];
  #bytes = 0;
  #messages = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  get messages(): number {
    return this.#messages;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Runs `work` once there is room for it. */
  async pass<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#hasRoom(bytes)) this.#take(bytes);
    else await new Promise<void>((enter) => this.#waiting.push({ bytes, enter }));
    try {
      return await work();
    } finally {
      this.#bytes -= bytes;
      this.#messages--;
      this.#admit();
    }
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#hasRoom(this.#waiting[0]!.bytes)) {
      const next = this.#waiting.shift()!;
      this.#take(next.bytes);
      next.enter();
    }
  }

  #hasRoom(bytes: number): boolean {
    if (this.#messages === 0) return true;
    return this.#messages < this.#limits.messagesMax && this.#bytes + bytes <= this.#limits.bytesMax;
  }

  #take(bytes: number): void {
    this.#bytes += bytes;
    this.#messages++;
  }
}
