/**
 * What was typed and is not in the record yet. It lives in this browser under the name of whoever typed it: another person
 * at this machine neither sees it nor sends it. It goes by itself when the desk answers; what the desk refuses, and what
 * belongs to no incident, stays until a person has used it or thrown it away.
 */

import { SvelteMap } from 'svelte/reactivity';
import { Problem, patch } from '../../lib/api';
import { session } from '../../lib/session.svelte';
import { asChanges, type Typed } from './fields';

export interface Draft {
  /** The incident's id, or SIP's own for a call that the record does not know. */
  name: string;
  incident: string | null;
  /** The incident's number, as people say it. */
  called: number | null;
  /** The caller's. */
  number: string | null;
  at: number;
  changes: Partial<Typed>;
  /** Why the desk would not have it. */
  refused?: string;
}

const KEPT_AS = 'siaga.draft.';

class Drafts {
  #all = new SvelteMap<string, Draft>();
  #of: string | null = null;
  #delivering = false;

  /** All of the person who sits here now, the newest first. */
  get all(): Draft[] {
    return [...this.#all.values()].sort((a, b) => b.at - a.at);
  }

  /** Those that will not go by themselves. */
  get stuck(): Draft[] {
    return this.all.filter((draft) => draft.incident === null || draft.refused !== undefined);
  }

  of(name: string): Draft | undefined {
    this.read();
    return this.#all.get(name);
  }

  keep(draft: Draft): void {
    this.read();
    this.#all.set(draft.name, draft);
    if (this.#of === null) return;
    try {
      localStorage.setItem(this.#key(draft.name), JSON.stringify(draft));
    } catch {
      // Storage is full or forbidden: it is kept as long as this page is.
    }
  }

  drop(name: string): void {
    this.read();
    this.#all.delete(name);
    localStorage.removeItem(this.#key(name));
  }

  /** Give a draft a name of its own, so that what is typed on its incident from now on does not overwrite it. */
  setAside(draft: Draft): void {
    this.drop(draft.name);
    this.keep({ ...draft, name: `${draft.name}/${draft.at}` });
  }

  /** What is kept for whoever sits here: asked again only when that is somebody else. */
  read(): void {
    const login = session.me?.login ?? null;
    if (login === this.#of) return;
    this.#of = login;
    this.#all.clear();
    if (login === null) return;
    const start = this.#key('');
    for (const key of Object.keys(localStorage).filter((one) => one.startsWith(start))) {
      const draft = JSON.parse(localStorage.getItem(key) ?? 'null') as Draft | null;
      if (draft) this.#all.set(draft.name, draft);
    }
  }

  /** Send what an earlier moment could not deliver; `open` is on a sheet, which sees to it itself. */
  async deliver(open: string | null): Promise<void> {
    this.read();
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (const draft of this.all) {
        if (!draft.incident || draft.refused || draft.name === open) continue;
        try {
          await patch(`/incidents/${draft.incident}`, { changes: asChanges(draft.changes) });
          if (this.#all.get(draft.name) === draft) this.drop(draft.name);
        } catch (cause) {
          if (!(cause instanceof Problem)) throw cause;
          if (isTemporary(cause)) return;
          this.keep({ ...draft, refused: cause.code });
        }
      }
    } finally {
      this.#delivering = false;
    }
  }

  #key(name: string): string {
    return `${KEPT_AS}${this.#of}/${name}`;
  }
}

/** Not a no: nobody answered, or the desk does not know who asks until they sign in again. */
export const isTemporary = (problem: Problem): boolean =>
  problem.isAway || problem.status === 401 || problem.status === 429 || problem.code === 'csrf.wrong';

export const drafts = new Drafts();
