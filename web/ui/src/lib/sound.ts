/** Sounds made on the spot, so that no file has to be there when it matters. */

let context: AudioContext | null = null;

function ears(): AudioContext | null {
  try {
    context ??= new AudioContext();
    if (context.state === 'suspended') void context.resume();
    return context;
  } catch {
    return null;
  }
}

/** Browsers stay silent until a person touched the page; call this from a click. */
export const unlockSound = (): void => void ears();

function beep(frequency_hz: number, at_s: number, length_s: number, loudness: number): void {
  const audio = ears();
  if (!audio) return;
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  const start = audio.currentTime + at_s;
  tone.frequency.value = frequency_hz;
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(loudness, start + 0.02);
  volume.gain.setValueAtTime(loudness, start + length_s - 0.04);
  volume.gain.linearRampToValueAtTime(0, start + length_s);
  tone.connect(volume).connect(audio.destination);
  tone.start(start);
  tone.stop(start + length_s);
}

const PATTERNS = {
  /** A telephone. */
  ring: () => [0, 0.25, 0.5].forEach((at) => beep(at === 0.25 ? 660 : 830, at, 0.2, 0.12)),
  /** An offer to a unit: cannot be slept through. */
  offer: () => [0, 0.3, 0.6, 0.9].forEach((at, i) => beep(i % 2 ? 1175 : 880, at, 0.25, 0.4)),
  /** Something on the board wants an eye. */
  notice: () => [0, 0.18].forEach((at) => beep(988, at, 0.12, 0.1)),
};

export const sound = (pattern: keyof typeof PATTERNS): void => PATTERNS[pattern]();

/** Repeat until the returned function is called. */
export function soundUntil(pattern: keyof typeof PATTERNS, every_ms: number): () => void {
  sound(pattern);
  const again = setInterval(() => sound(pattern), every_ms);
  return () => clearInterval(again);
}
