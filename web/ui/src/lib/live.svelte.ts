/** The board as it is now: a first full picture, then every change, and an honest word when it is late. */

import { SvelteMap } from 'svelte/reactivity';
import { post, socketAddress } from './api';
import { clock } from './clock.svelte';
import { session } from './session.svelte';
import type { Board, Call, Incident, Mission, Report, Seat, Unit } from './types';

const LATE_AFTER_MS = 5000;
const DEAD_AFTER_MS = 12_000;
const LONGEST_WAIT_MS = 10_000;

export interface Event {
  seq: number;
  at: string;
  kind: string;
  subject: string;
  type: string;
  by: string;
  incident: string | null;
}

interface Rows {
  incidents?: Incident[];
  missions?: Mission[];
  units?: Unit[];
  calls?: Call[];
  seats?: Seat[];
  reports?: Report[];
}

type Frame =
  | ({ type: 'snapshot' } & Board)
  | ({ type: 'changes'; cursor: string; events: Event[] } & Rows)
  | { type: 'positions'; units: { unit: string; lat: number; lon: number; at: string }[] }
  | { type: 'beat'; at: string };

function newer<T extends { id: string; version?: number }>(rows: Map<string, T>, row: T): void {
  const had = rows.get(row.id);
  if (!had || (row.version ?? 0) >= (had.version ?? 0)) rows.set(row.id, row);
}

/**
 * Of an incident that is over, the feed hides the caller from everybody alike. Whoever took the call is told in the desk's
 * own answers, and keeps what they were told.
 */
function withCaller(row: Incident, had: Incident | undefined): Incident {
  if (!had || isOpenIncident(row) || row.handled_by === null || row.handled_by !== session.me?.login)
    return row;
  const whole = (told: string | null, kept: string | null) => (told?.includes('•') ? kept : told);
  return {
    ...row,
    caller_name: row.caller_name ?? had.caller_name,
    caller_number: whole(row.caller_number, had.caller_number),
    callback: whole(row.callback, had.callback),
  };
}

class Live {
  incidents = new SvelteMap<string, Incident>();
  missions = new SvelteMap<string, Mission>();
  units = new SvelteMap<string, Unit>();
  calls = new SvelteMap<string, Call>();
  seats = new SvelteMap<string, Seat>();
  reports = new SvelteMap<string, Report>();

  isOpen = $state(false);
  hasPicture = $state(false);
  #heardAt = $state(Date.now());
  #cursor: string | null = null;
  #socket: WebSocket | null = null;
  #tries = 0;
  #listeners = new Set<(events: Event[]) => void>();
  #wanted = false;

  /** More than 5 s behind the truth, and the screen must say so. */
  get isLate(): boolean {
    return clock.local - this.#heardAt > LATE_AFTER_MS;
  }

  get late_s(): number {
    return Math.max(0, Math.round((clock.local - this.#heardAt) / 1000));
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    void this.#connect();
    setInterval(() => {
      // A socket that is open but silent is worse than a closed one: nobody retries it.
      if (this.#socket && Date.now() - this.#heardAt > DEAD_AFTER_MS) this.#socket.close();
    }, 2000);
    addEventListener('online', () => this.#socket?.close());
  }

  onEvents(listener: (events: Event[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Put in whatever is newer than what we have: the feed and an answer may overtake each other. */
  know(rows: Rows): void {
    rows.incidents?.forEach((row) => newer(this.incidents, withCaller(row, this.incidents.get(row.id))));
    rows.missions?.forEach((row) => newer(this.missions, row));
    rows.units?.forEach((row) => newer(this.units, row));
    rows.calls?.forEach((row) => newer(this.calls, row));
    rows.seats?.forEach((row) => newer(this.seats, row));
    rows.reports?.forEach((row) => newer(this.reports, row));
  }

  async #connect(): Promise<void> {
    try {
      const { ticket, url } = await post<{ ticket: string; url: string }>('/session/ticket', {
        purpose: 'live',
      });
      this.#open(ticket, url);
    } catch {
      this.#again();
    }
  }

  #open(ticket: string, url: string): void {
    const socket = new WebSocket(socketAddress(url));
    this.#socket = socket;
    this.#heardAt = Math.max(this.#heardAt, Date.now() - LATE_AFTER_MS);
    socket.onopen = () =>
      socket.send(JSON.stringify(this.#cursor ? { ticket, cursor: this.#cursor } : { ticket }));
    socket.onmessage = (message) => this.#hear(JSON.parse(String(message.data)) as Frame);
    socket.onclose = (close) => {
      if (this.#socket === socket) this.#socket = null;
      this.isOpen = false;
      if (close.code === 4409) this.#cursor = null;
      this.#again();
    };
  }

  #hear(frame: Frame): void {
    this.#heardAt = Date.now();
    this.isOpen = true;
    this.#tries = 0;
    switch (frame.type) {
      case 'snapshot':
        this.#cursor = frame.cursor;
        [this.incidents, this.missions, this.units, this.calls, this.seats, this.reports].forEach((rows) =>
          rows.clear(),
        );
        this.know(frame);
        this.hasPicture = true;
        break;
      case 'changes':
        this.#cursor = frame.cursor;
        this.know(frame);
        this.hasPicture = true;
        this.#listeners.forEach((listener) => listener(frame.events));
        break;
      case 'positions':
        for (const seen of frame.units) {
          const unit = this.units.get(seen.unit);
          if (unit) {
            this.units.set(seen.unit, {
              ...unit,
              lat: seen.lat,
              lon: seen.lon,
              position_at: seen.at,
              online: true,
            });
          }
        }
        break;
      case 'beat':
        clock.heard(frame.at);
        break;
    }
  }

  #again(): void {
    if (!this.#wanted) return;
    const ceiling_ms = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.#tries++);
    setTimeout(() => void this.#connect(), 200 + Math.random() * ceiling_ms);
  }
}

export const live = new Live();

export const isLiveMission = (mission: Mission): boolean =>
  !['cleared', 'declined', 'expired', 'withdrawn'].includes(mission.status);
export const isOpenIncident = (incident: Incident): boolean =>
  incident.status === 'open' || incident.status === 'triaged';
