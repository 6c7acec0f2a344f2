/**
 * A crew's line to the centre. It may break at any bend of the road: what is said meanwhile waits in this browser with the
 * time it was said, and what was missed is told in order when the line is back.
 */

import { Problem, post, socketAddress } from './api';
import { clock } from './clock.svelte';
import { session } from './session.svelte';
import type { MissionStatus, MissionView, UnitStatus } from './types';

export type Verb =
  | 'accept'
  | 'decline'
  | 'en_route'
  | 'on_scene'
  | 'transporting'
  | 'at_hospital'
  | 'cleared'
  | 'on_duty'
  | 'off_duty'
  | 'out_of_service';

export interface Word {
  /** The key that makes it safe to say twice. */
  id: string;
  verb: Verb;
  at: string;
  mission?: string;
  reason?: string;
  outcome?: string;
  note?: string;
}

export interface OwnUnit {
  id: string;
  call_sign: string;
  agency: string;
  kind: string;
  capabilities: string[];
  status: UnitStatus;
  reason: string | null;
}

export interface Fix {
  lat: number;
  lon: number;
  accuracy_m: number;
  speed_mps?: number;
  heading?: number;
  at: string;
}

type Frame =
  | { type: 'welcome'; unit: OwnUnit; missions: MissionView[]; cursor: string; server_time: string }
  | {
      type: 'event';
      seq: number;
      cursor: string;
      at: string;
      event: string;
      mission?: MissionView | null;
      unit?: OwnUnit | null;
    }
  | { type: 'beat'; at: string; cursor?: string }
  | { type: 'ok'; re: string; mission?: string | null }
  | { type: 'refused'; re: string | null; code: string; message: string };

interface Kept {
  unit: OwnUnit | null;
  missions: MissionView[];
  cursor: string | null;
  seen: number[];
  outbox: Word[];
}

/** The centre beats every 2 s. After this long a screen says that it is late… */
const LATE_AFTER_MS = 5000;
/** …and after this long the line is given up for a new one. */
const DEAD_AFTER_MS = 12_000;
const LONGEST_WAIT_MS = 8000;
const ANSWER_WITHIN_MS = 6000;
const KEPT_AS = 'siaga.unit.';
const ENDED: readonly MissionStatus[] = ['cleared', 'declined', 'expired', 'withdrawn'];
const MEANS: Partial<Record<Verb, MissionStatus>> = {
  accept: 'accepted',
  decline: 'declined',
  en_route: 'en_route',
  on_scene: 'on_scene',
  transporting: 'transporting',
  at_hospital: 'at_hospital',
  cleared: 'cleared',
};
const DUTY: Partial<Record<Verb, UnitStatus>> = {
  on_duty: 'available',
  off_duty: 'off_duty',
  out_of_service: 'out_of_service',
};

export class Link {
  unit = $state<OwnUnit | null>(null);
  #missions = $state<MissionView[]>([]);
  outbox = $state<Word[]>([]);
  isOpen = $state(false);
  isWelcome = $state(false);
  #heardAt = $state(0);

  onOffer: (mission: MissionView) => void = () => undefined;
  onEvent: (event: string, mission: MissionView | null) => void = () => undefined;
  onRefused: (word: Word | null, code: string, message: string) => void = () => undefined;

  #login = '';
  #cursor: string | null = null;
  /** Events shown already. Not a high-water mark: the log's order is not that of its numbers. */
  #seen: number[] = [];
  #socket: WebSocket | null = null;
  #tries = 0;
  #wanted = false;
  #saying: { id: string; since: number } | null = null;
  #fix: Fix | null = null;

  /** Whether the line is good now: open, welcomed, and heard of lately. */
  get isLive(): boolean {
    return this.isOpen && this.isWelcome && clock.local - this.#heardAt < LATE_AFTER_MS;
  }
  get late_s(): number {
    return this.#heardAt === 0 ? 0 : Math.max(0, Math.round((clock.local - this.#heardAt) / 1000));
  }

  /** The missions as the crew knows them: what was said and not yet heard by the centre counts already. */
  get missions(): MissionView[] {
    return this.#missions.map((mission) => {
      const said = this.outbox.filter((word) => word.mission === mission.id).at(-1);
      const status = said ? MEANS[said.verb] : undefined;
      return status && said ? { ...mission, status, [`${status}_at`]: said.at } : mission;
    });
  }
  get current(): MissionView | null {
    const live = this.missions.filter((mission) => !ENDED.includes(mission.status));
    return live.find((mission) => mission.status !== 'offered') ?? null;
  }
  get offer(): MissionView | null {
    return this.missions.find((mission) => mission.status === 'offered') ?? null;
  }
  get duty(): UnitStatus {
    const said = this.outbox.filter((word) => word.verb in DUTY).at(-1);
    return (said ? DUTY[said.verb] : undefined) ?? this.unit?.status ?? 'off_duty';
  }

  start(login: string): void {
    if (this.#wanted) return;
    this.#login = login;
    this.#wanted = true;
    this.#remember();
    void this.#connect();
    setInterval(() => this.#watch(), 1000);
    addEventListener('online', () => {
      this.#tries = 0;
      this.#socket?.close();
    });
  }

  stop(): void {
    this.#wanted = false;
    this.#socket?.close();
  }

  /** Say something now; it goes when it can, once, with the time of now. */
  say(verb: Verb, more: { mission?: string; reason?: string; outcome?: string; note?: string } = {}): void {
    this.outbox = [
      ...this.outbox,
      { id: crypto.randomUUID(), verb, at: new Date(clock.now).toISOString(), ...more },
    ];
    this.#keep();
    this.#sayNext();
  }

  /** Where we are. Only the newest matters, so nothing of it waits. */
  at(fix: Fix): void {
    this.#fix = fix;
    this.#tellWhere();
  }

  /** A crew that is off duty is nobody's business. */
  #tellWhere(): void {
    if (this.#fix && this.duty !== 'off_duty') this.#write({ type: 'position', ...this.#fix });
  }

  // ---- the line

  async #connect(): Promise<void> {
    try {
      if (!session.me && !(await session.load())) {
        this.#again();
        return;
      }
      const { ticket, url } = await post<{ ticket: string; url: string }>('/session/ticket', {
        purpose: 'push',
      });
      this.#open(ticket, url);
    } catch (cause) {
      if (cause instanceof Problem && cause.status === 401) session.ended = true;
      this.#again();
    }
  }

  #open(ticket: string, url: string): void {
    const socket = new WebSocket(socketAddress(url));
    this.#socket = socket;
    this.#heardAt = Date.now();
    socket.onopen = () => {
      this.isOpen = true;
      socket.send(JSON.stringify({ type: 'hello', ticket, cursor: this.#cursor, client: 'web/1' }));
    };
    socket.onmessage = (message) => {
      if (this.#socket === socket) this.#hear(JSON.parse(String(message.data)) as Frame);
    };
    socket.onclose = (close) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.isOpen = false;
      this.isWelcome = false;
      this.#saying = null;
      if (close.code === 4409) this.#cursor = null;
      this.#again();
    };
  }

  #again(): void {
    if (!this.#wanted) return;
    const ceiling_ms = Math.min(LONGEST_WAIT_MS, 400 * 2 ** this.#tries++);
    setTimeout(() => void this.#connect(), 150 + Math.random() * ceiling_ms);
  }

  #watch(): void {
    const socket = this.#socket;
    if (!socket) return;
    const silent = Date.now() - this.#heardAt > DEAD_AFTER_MS;
    const unanswered = this.#saying !== null && Date.now() - this.#saying.since > ANSWER_WITHIN_MS;
    if (!silent && !unanswered) return;
    // A line that is open and dead would hold everything back: leave it and take a new one at once.
    this.#socket = null;
    this.isOpen = false;
    this.isWelcome = false;
    this.#saying = null;
    socket.onclose = null;
    socket.close();
    this.#again();
  }

  #write(frame: unknown): boolean {
    if (!this.isWelcome || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #hear(frame: Frame): void {
    this.#heardAt = Date.now();
    switch (frame.type) {
      case 'welcome':
        this.#tries = 0;
        this.isWelcome = true;
        clock.heard(frame.server_time);
        this.unit = frame.unit;
        this.#missions = frame.missions;
        // With a cursor of our own, what was missed comes next, and moves it on.
        this.#cursor ??= frame.cursor;
        this.#keep();
        this.#missions
          .filter((mission) => mission.status === 'offered')
          .forEach((mission) => this.onOffer(mission));
        this.#sayNext();
        this.#tellWhere();
        break;
      case 'event':
        this.#take(frame);
        break;
      case 'beat':
        clock.heard(frame.at);
        if (frame.cursor) {
          this.#cursor = frame.cursor;
          this.#keep();
        }
        break;
      case 'ok':
        this.#said(frame.re);
        break;
      case 'refused':
        this.#refused(frame);
        break;
    }
  }

  #take(frame: Extract<Frame, { type: 'event' }>): void {
    this.#write({ type: 'ack', seq: frame.seq });
    this.#cursor = frame.cursor;
    const isNew = !this.#seen.includes(frame.seq);
    if (isNew) this.#seen = [...this.#seen.slice(-199), frame.seq];
    if (frame.unit) this.unit = frame.unit;
    const mission = frame.mission ?? null;
    if (mission) {
      const had = this.#missions.find((other) => other.id === mission.id);
      if (!had) this.#missions = [...this.#missions, mission];
      else if (mission.version >= had.version) {
        this.#missions = this.#missions.map((other) => (other.id === mission.id ? mission : other));
      }
    }
    this.#missions = this.#missions.slice(-20);
    this.#keep();
    if (!isNew) return;
    if (
      mission?.status === 'offered' &&
      (frame.event === 'MissionOffered' || frame.event === 'OfferRealerted')
    ) {
      this.onOffer(mission);
    }
    this.onEvent(frame.event, mission);
  }

  // ---- what we say

  #sayNext(): void {
    const word = this.outbox[0];
    if (!word || this.#saying) return;
    if (this.#write({ type: 'do', ...word })) this.#saying = { id: word.id, since: Date.now() };
  }

  #said(id: string): void {
    const word = this.outbox.find((waiting) => waiting.id === id);
    if (word) this.#settle(word);
    this.outbox = this.outbox.filter((waiting) => waiting.id !== id);
    this.#saying = null;
    this.#keep();
    this.#sayNext();
    if (word?.verb === 'on_duty') this.#tellWhere();
  }

  /** Until its own event comes back, the screen goes on showing what the centre has agreed to. */
  #settle(word: Word): void {
    const status = MEANS[word.verb];
    if (status) {
      this.#missions = this.#missions.map((mission) =>
        mission.id === word.mission ? { ...mission, status, [`${status}_at`]: word.at } : mission,
      );
    }
    const duty = DUTY[word.verb];
    if (duty && this.unit) this.unit = { ...this.unit, status: duty };
  }

  #refused(frame: Extract<Frame, { type: 'refused' }>): void {
    this.#saying = null;
    if (frame.code === 'unavailable') {
      setTimeout(() => this.#sayNext(), 1500);
      return;
    }
    const word = this.outbox.find((waiting) => waiting.id === frame.re) ?? null;
    if (word) this.outbox = this.outbox.filter((waiting) => waiting !== word);
    this.#keep();
    this.onRefused(word, frame.code, frame.message);
    this.#sayNext();
  }

  // ---- what this browser remembers

  #keep(): void {
    const kept: Kept = {
      unit: $state.snapshot(this.unit),
      missions: $state.snapshot(this.#missions),
      cursor: this.#cursor,
      seen: this.#seen,
      outbox: $state.snapshot(this.outbox),
    };
    try {
      localStorage.setItem(KEPT_AS + this.#login, JSON.stringify(kept));
    } catch {
      // Storage is full or forbidden: everything still works until the page is closed.
    }
  }

  #remember(): void {
    const text = localStorage.getItem(KEPT_AS + this.#login);
    if (!text) return;
    const kept = JSON.parse(text) as Kept;
    this.unit = kept.unit;
    this.#missions = kept.missions;
    this.#cursor = kept.cursor;
    this.#seen = kept.seen;
    this.outbox = kept.outbox;
  }
}
