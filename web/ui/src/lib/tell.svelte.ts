/** Short messages to the person at the screen, spoken by screen readers too. */

import { Problem } from './api';
import { say, sayCode } from './words';

export type Tone = 'good' | 'bad' | 'plain';
export interface Told {
  id: number;
  text: string;
  tone: Tone;
  undo?: { label: string; run: () => void };
}

class Tell {
  told = $state<Told[]>([]);
  /** What the polite live region says now; calls and offers go to the assertive one. */
  urgent = $state('');
  #next = 1;

  say(text: string, tone: Tone = 'plain', undo?: Told['undo'], stay_s = undo ? 30 : 6): void {
    const id = this.#next++;
    this.told = [...this.told.slice(-3), { id, text, tone, ...(undo ? { undo } : {}) }];
    setTimeout(() => this.forget(id), (tone === 'bad' ? Math.max(stay_s, 12) : stay_s) * 1000);
  }

  forget(id: number): void {
    this.told = this.told.filter((told) => told.id !== id);
  }

  undoLast(): boolean {
    const last = this.told.findLast((told) => told.undo);
    if (!last?.undo) return false;
    this.forget(last.id);
    last.undo.run();
    return true;
  }

  problem(cause: unknown): void {
    this.say(whyNot(cause), 'bad');
  }
}

/** A refusal in the reader's language: by its code when we know it, else in the desk's own words. */
export function whyNot(cause: unknown): string {
  if (!(cause instanceof Problem)) return cause instanceof Error ? cause.message : String(cause);
  if (cause.retryAfter_s && cause.code === 'session.slow_down') {
    return say('problem.session.slow_down', { seconds: cause.retryAfter_s });
  }
  return sayCode('problem', cause.code, cause.message || say('problem.unknown_reason'));
}

export const tell = new Tell();

/** Do it; when the answer is no, say why. Returns null when it was not done. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (cause) {
    tell.problem(cause);
    return null;
  }
}
