/**
 * One sheet of paper for one incident: what is typed, what the desk already has of it, and what goes with it.
 * Nothing typed is ever lost: while the desk is away the sheet lives in this browser, and goes when it returns.
 */

import { Problem, get, newKey, patch, post, put, remove } from '../../lib/api';
import { live, type Event } from '../../lib/live.svelte';
import { tell } from '../../lib/tell.svelte';
import type {
  Happening,
  Incident,
  IncidentDetail,
  Likeness,
  Mission,
  Report,
  Suggestion,
} from '../../lib/types';

export const FIELDS = ['address', 'type', 'priority', 'caller_name', 'callback', 'notes', 'hazards'] as const;
export type Field = (typeof FIELDS)[number];
export type Typed = Record<Field, string>;
export type Saving = 'nothing' | 'typing' | 'saving' | 'saved' | 'kept' | 'refused';

interface KeptDraft {
  incident: string | null;
  number: string | null;
  at: number;
  changes: Partial<Typed>;
}

const SAVE_AFTER_MS = 1000;
const RETRY_MS = 2000;
const KEPT_AS = 'siaga.draft.';

const blank = (): Typed => ({
  address: '',
  type: '',
  priority: '',
  caller_name: '',
  callback: '',
  notes: '',
  hazards: '',
});

const asTyped = (row: Incident): Typed => ({
  address: row.address,
  type: row.type ?? '',
  priority: row.priority === null ? '' : String(row.priority),
  caller_name: row.caller_name ?? '',
  callback: row.callback ?? '',
  notes: row.notes,
  hazards: row.hazards,
});

/** As the desk wants it: numbers are numbers, and what was emptied where nothing is allowed is null. */
export function asChanges(typed: Partial<Typed>): Record<string, string | number | null> {
  return Object.fromEntries(
    Object.entries(typed).map(([field, value]) => {
      if (field === 'priority') return [field, value ? Number(value) : null];
      if (field === 'type' || field === 'caller_name' || field === 'callback') return [field, value || null];
      return [field, value];
    }),
  );
}

export class Sheet {
  /** The incident on the sheet; null while a call is on the line that the record does not know yet. */
  incident = $state<string | null>(null);
  /** Set for such a call: SIP's own id for it. */
  line = $state<string | null>(null);
  callerNumber = $state<string | null>(null);
  typed = $state<Typed>(blank());
  saving = $state<Saving>('nothing');
  trouble = $state<string | null>(null);
  detail = $state.raw<IncidentDetail | null>(null);
  timeline = $state.raw<Happening[]>([]);
  suggestions = $state.raw<Suggestion[]>([]);
  missing = $state.raw<string[]>([]);
  likely = $state.raw<Likeness[]>([]);
  chosen = $state<string[]>([]);
  /** Once a person has touched the choice of units, no suggestion changes it any more. */
  choiceIsTheirs = $state(false);
  busy = $state(false);

  #known: Typed = blank();
  #touchedAt: Partial<Record<Field, number>> = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<void> | null = null;
  #sendKey: { of: string; key: string } | null = null;

  get isOpen(): boolean {
    return this.incident !== null || this.line !== null;
  }

  get row(): Incident | null {
    return (this.incident ? live.incidents.get(this.incident) : undefined) ?? this.detail?.incident ?? null;
  }

  get missions(): Mission[] {
    const incident = this.incident;
    if (!incident) return [];
    const rows = new Map(this.detail?.missions.map((mission) => [mission.id, mission]));
    for (const mission of live.missions.values()) {
      if (mission.incident === incident) rows.set(mission.id, mission);
    }
    return [...rows.values()].sort((a, b) => a.offered_at.localeCompare(b.offered_at));
  }

  get dirty(): Partial<Typed> {
    return Object.fromEntries(
      FIELDS.filter((field) => this.typed[field] !== this.#known[field]).map((field) => [
        field,
        this.typed[field],
      ]),
    );
  }

  // ---- opening and putting away

  async open(incident: string): Promise<void> {
    if (this.incident === incident) return this.refresh();
    const carried = this.line ? this.dirty : null;
    const oldLine = this.line;
    if (!carried) await this.putAway();
    this.#empty();
    this.incident = incident;
    const row = live.incidents.get(incident);
    if (row) this.hear(row);
    this.#takeKept(incident);
    if (carried) {
      Object.assign(this.typed, carried);
      if (oldLine) localStorage.removeItem(KEPT_AS + oldLine);
      this.#soon();
    }
    await this.refresh();
  }

  /** A call is on the line and the record does not know it: write here, it is kept. */
  openLine(line: string, number: string | null): void {
    void this.putAway();
    this.#empty();
    this.line = line;
    this.callerNumber = number;
    this.typed.callback = number ?? '';
  }

  /** Make a record by hand: nobody rang, or the record of the ring did not reach us. */
  async create(): Promise<void> {
    const changes = asChanges(this.line ? this.dirty : {});
    const { incident } = await post<{ incident: Incident }>('/incidents', {
      changes,
      ...(this.callerNumber ? { caller_number: this.callerNumber } : {}),
    });
    live.know({ incidents: [incident] });
    if (this.line) localStorage.removeItem(KEPT_AS + this.line);
    this.#empty();
    this.incident = incident.id;
    this.hear(incident);
    await this.refresh();
  }

  /** Save what is left and clear the desk. */
  async putAway(): Promise<void> {
    clearTimeout(this.#timer);
    if (Object.keys(this.dirty).length > 0) await this.save();
    this.#empty();
  }

  #empty(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#looking);
    this.incident = null;
    this.line = null;
    this.callerNumber = null;
    this.typed = blank();
    this.#known = blank();
    this.#touchedAt = {};
    this.detail = null;
    this.timeline = [];
    this.suggestions = [];
    this.missing = [];
    this.likely = [];
    this.chosen = [];
    this.choiceIsTheirs = false;
    this.saving = 'nothing';
    this.trouble = null;
    this.#sendKey = null;
  }

  // ---- typing and saving

  type(field: Field, value: string): void {
    if (this.typed[field] === value) return;
    this.typed[field] = value;
    this.#touchedAt[field] = Date.now();
    this.#keep();
    this.#soon();
  }

  #soon(): void {
    this.saving = 'typing';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.save(), SAVE_AFTER_MS);
  }

  /** Called when a field is left, and before anything that needs the desk to know what is typed. */
  async save(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#saving) await this.#saving;
    const changes = this.dirty;
    const incident = this.incident;
    if (!incident || Object.keys(changes).length === 0) {
      if (this.line && Object.keys(changes).length > 0) this.saving = 'kept';
      else if (this.saving === 'typing') this.saving = this.isOpen ? 'saved' : 'nothing';
      return;
    }
    this.saving = 'saving';
    this.#saving = this.#write(incident, changes).finally(() => {
      this.#saving = null;
    });
    await this.#saving;
  }

  async #write(incident: string, changes: Partial<Typed>): Promise<void> {
    try {
      const answer = await patch<{ incident: Incident }>(`/incidents/${incident}`, {
        changes: asChanges(changes),
      });
      if (this.incident !== incident) return this.#dropKept(incident);
      Object.assign(this.#known, changes);
      live.know({ incidents: [answer.incident] });
      this.trouble = null;
      if (Object.keys(this.dirty).length === 0) {
        this.saving = 'saved';
        this.#dropKept(incident);
      } else {
        this.#soon();
      }
      this.look();
    } catch (cause) {
      if (this.incident !== incident) return;
      if (cause instanceof Problem && !cause.isAway && cause.status !== 401) {
        this.saving = 'refused';
        tell.problem(cause);
      } else {
        this.saving = 'kept';
        this.#timer = setTimeout(() => void this.save(), RETRY_MS);
      }
      this.#keep();
    }
  }

  #keep(): void {
    const name = this.incident ?? this.line;
    const changes = this.dirty;
    if (!name || Object.keys(changes).length === 0) return;
    const draft: KeptDraft = { incident: this.incident, number: this.callerNumber, at: Date.now(), changes };
    try {
      localStorage.setItem(KEPT_AS + name, JSON.stringify(draft));
    } catch {
      // Storage is full or forbidden: the text still stands on the screen.
    }
  }

  #takeKept(incident: string): void {
    const kept = localStorage.getItem(KEPT_AS + incident);
    if (!kept) return;
    Object.assign(this.typed, (JSON.parse(kept) as KeptDraft).changes);
    this.#soon();
  }

  #dropKept(incident: string): void {
    localStorage.removeItem(KEPT_AS + incident);
  }

  /** What an earlier page could not deliver goes now. */
  async deliverKept(): Promise<void> {
    for (const name of Object.keys(localStorage).filter((key) => key.startsWith(KEPT_AS))) {
      const draft = JSON.parse(localStorage.getItem(name) ?? 'null') as KeptDraft | null;
      if (!draft?.incident || draft.incident === this.incident) continue;
      try {
        await patch(`/incidents/${draft.incident}`, { changes: asChanges(draft.changes) });
        localStorage.removeItem(name);
      } catch (cause) {
        // Refused: the incident is closed by now. The text would only be in the way.
        if (cause instanceof Problem && !cause.isAway && cause.status !== 401) localStorage.removeItem(name);
      }
    }
  }

  // ---- hearing

  /** The row as the desk has it now. A field somebody is typing in is left alone. */
  hear(row: Incident): void {
    if (row.id !== this.incident) return;
    const theirs = asTyped(row);
    const now = Date.now();
    for (const field of FIELDS) {
      const clean = this.typed[field] === this.#known[field];
      const recent = now - (this.#touchedAt[field] ?? 0) < 5000;
      if (recent) continue;
      this.#known[field] = theirs[field];
      if (clean) this.typed[field] = theirs[field];
    }
  }

  heard(events: Event[]): void {
    if (this.incident && events.some((event) => event.incident === this.incident)) this.look();
    else if (this.incident && events.some((event) => event.kind === 'unit')) this.look(1500);
  }

  /** Ask again for what goes with the incident, once for any number of reasons. */
  look(after_ms = 250): void {
    clearTimeout(this.#looking);
    this.#looking = setTimeout(() => void this.refresh(), after_ms);
  }

  async refresh(): Promise<void> {
    const incident = this.incident;
    if (!incident) return;
    const here = () => this.incident === incident;
    await Promise.allSettled([
      get<IncidentDetail>(`/incidents/${incident}`).then((detail) => {
        if (!here()) return;
        this.detail = detail;
        this.likely = detail.duplicates;
        live.know({ incidents: [detail.incident], missions: detail.missions, calls: detail.calls });
        this.hear(live.incidents.get(incident) ?? detail.incident);
        if (this.saving === 'nothing') this.saving = 'saved';
        this.trouble = null;
      }),
      get<{ events: Happening[] }>(`/incidents/${incident}/timeline`).then(({ events }) => {
        if (here()) this.timeline = events;
      }),
      get<{ suggestions: Suggestion[]; missing: string[] }>(`/incidents/${incident}/suggestions`).then(
        (advice) => {
          if (here()) this.advise(advice.suggestions, advice.missing);
        },
      ),
    ]).then((results) => {
      const failed = results.find((result) => result.status === 'rejected');
      if (failed && here() && failed.reason instanceof Problem && failed.reason.isAway) {
        this.trouble = 'away';
        this.look(RETRY_MS);
      }
    });
  }

  advise(suggestions: Suggestion[], missing: string[]): void {
    this.suggestions = suggestions;
    this.missing = missing;
    if (this.choiceIsTheirs) {
      this.chosen = this.chosen.filter((unit) => suggestions.some((line) => line.unit === unit));
    } else if (this.typed.type && this.missions.length === 0) {
      this.chosen = suggestions.filter((line) => line.picked).map((line) => line.unit);
    } else {
      this.chosen = [];
    }
  }

  toggle(unit: string): void {
    this.choiceIsTheirs = true;
    this.chosen = this.chosen.includes(unit)
      ? this.chosen.filter((other) => other !== unit)
      : [...this.chosen, unit];
  }

  // ---- deciding

  async putPlace(
    lat: number,
    lon: number,
    method: 'pin' | 'gazetteer' | 'geocoder',
    text?: string,
  ): Promise<void> {
    if (!this.incident) return;
    const { incident } = await put<{ incident: Incident }>(`/incidents/${this.incident}/place`, {
      lat,
      lon,
      method,
      ...(text ? { text } : {}),
    });
    live.know({ incidents: [incident] });
    this.look();
  }

  /** The one key: it is decided, and the chosen units are asked. */
  async send(): Promise<Mission[]> {
    const units = [...this.chosen];
    const changes = asChanges(this.dirty);
    const of = JSON.stringify([this.incident, [...units].sort()]);
    // Pressing again because nobody answered must not ask the same units twice.
    if (this.#sendKey?.of !== of) this.#sendKey = { of, key: newKey() };
    const answer = await this.#decide<{ incident: Incident; missions: Mission[] }>(
      'send',
      { units, ...(Object.keys(changes).length > 0 ? { changes } : {}) },
      this.#sendKey.key,
    );
    this.#sendKey = null;
    Object.assign(this.#known, this.typed);
    this.saving = 'saved';
    live.know({ missions: answer.missions });
    this.chosen = [];
    this.choiceIsTheirs = false;
    return answer.missions;
  }

  async report(
    category: string,
    description: string,
  ): Promise<{ number: string; tracking_url: string; report: Report }> {
    await this.save();
    return this.#decide<{ incident: Incident; report: Report; number: string; tracking_url: string }>(
      'report',
      { category, ...(description ? { description } : {}) },
    );
  }

  async close(outcome: string, note: string): Promise<void> {
    await this.save();
    await this.#decide('close', { outcome, ...(note ? { note } : {}) });
  }

  async join(of: string): Promise<void> {
    await this.save();
    await this.#decide('duplicate', { of });
  }

  async #decide<T extends { incident: Incident }>(what: string, body: unknown, key = newKey()): Promise<T> {
    this.busy = true;
    try {
      const answer = await post<T>(`/incidents/${this.incident}/${what}`, body, key);
      live.know({ incidents: [answer.incident] });
      this.look();
      return answer;
    } finally {
      this.busy = false;
    }
  }
}

export async function reopen(incident: string, reason: string): Promise<void> {
  const answer = await post<{ incident: Incident }>(`/incidents/${incident}/reopen`, { reason });
  live.know({ incidents: [answer.incident] });
}

export async function unjoin(incident: string): Promise<void> {
  const answer = await remove<{ incident: Incident }>(`/incidents/${incident}/duplicate`);
  live.know({ incidents: [answer.incident] });
}
