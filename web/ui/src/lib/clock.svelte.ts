/** One clock for the whole screen, corrected by what the server says the time is. */

class Clock {
  now = $state(Date.now());
  /** This machine's own time, for measuring how long ago *we* heard something. */
  local = $state(Date.now());
  #offset_ms = 0;

  constructor() {
    setInterval(() => {
      this.local = Date.now();
      this.now = this.local + this.#offset_ms;
    }, 1000);
  }

  /** A moment of this machine's, by the server's clock. */
  fromHere(at_ms: number): number {
    return at_ms + this.#offset_ms;
  }

  /** A beat from the server: ages on screen are measured by its clock, not by this machine's. */
  heard(at: string): void {
    const theirs = Date.parse(at);
    if (Number.isNaN(theirs)) return;
    const offset = theirs - Date.now();
    // A second of drift is the network, not the clock.
    if (Math.abs(offset - this.#offset_ms) > 1000) this.#offset_ms = offset;
  }
}

export const clock = new Clock();
