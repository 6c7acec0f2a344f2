/** Who sits here, as the desk knows them. */

import { Problem, credentials, get, patch, post, remove } from './api';
import { speaking, type Language } from './language.svelte';
import type { Me, Role } from './types';

class Session {
  me = $state<Me | null>(null);
  /** The desk no longer knows us: sign in again, in another tab, without losing what is typed here. */
  ended = $state(false);

  async load(): Promise<Me | null> {
    try {
      const found = await get<Me>('/session');
      if (this.me && found.login !== this.me.login) {
        // Somebody else signed in beside us: nothing that stands on this page may be sent under their name.
        this.ended = true;
        location.assign(HOME[found.role]);
        return null;
      }
      this.#accept(found);
    } catch (cause) {
      if (cause instanceof Problem && cause.status === 401) {
        this.ended = this.me !== null;
        return null;
      }
      throw cause;
    }
    return this.me;
  }

  async signIn(login: string, password: string): Promise<Me> {
    const me = await post<Me>('/session', { login, password });
    this.#accept(me);
    return me;
  }

  async signOut(): Promise<void> {
    await remove('/session').catch((cause: unknown) => {
      if (!(cause instanceof Problem && cause.status === 401)) throw cause;
    });
    this.me = null;
    location.assign('/');
  }

  async speak(language: Language): Promise<void> {
    speaking.set(language);
    // The choice already shows; that the desk remembers it for next time can wait for a better moment.
    if (this.me) await patch<Me>('/session', { language }).catch(() => undefined);
  }

  accept(me: Me): void {
    this.#accept(me);
  }

  #accept(me: Me): void {
    this.me = me;
    this.ended = false;
    credentials.csrf = me.csrf;
  }
}

export const session = new Session();

let renewing: Promise<boolean> | null = null;
credentials.renew = () => {
  renewing ??= session
    .load()
    .then((me) => me !== null)
    .catch(() => false)
    .finally(() => {
      renewing = null;
    });
  return renewing;
};

export const HOME: Record<Role, string> = {
  call_taker: '/call',
  dispatcher: '/board',
  supervisor: '/board',
  unit: '/unit',
  agency_officer: '/agency',
  leader: '/figures',
  citizen: '/track',
  admin: '/figures',
};

/** The rooms each role may walk into; the desk decides again at every door. */
export const ROOMS: Record<Role, readonly string[]> = {
  call_taker: ['/call'],
  dispatcher: ['/board'],
  supervisor: ['/board', '/call', '/figures'],
  unit: ['/unit'],
  agency_officer: ['/agency'],
  leader: ['/figures'],
  citizen: ['/track'],
  admin: ['/figures'],
};
