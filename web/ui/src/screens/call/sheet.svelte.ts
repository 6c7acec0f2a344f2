/**
 * One sheet of paper for one incident: what is typed, what the desk already has of it, and what goes with it.
 * Nothing typed is ever lost: until the desk has it, it is kept in this browser (`drafts`).
 */

import { Problem, get, newKey, patch, post, put, query, remove } from '../../lib/api';
import { live, type Event } from '../../lib/live.svelte';
import { tell } from '../../lib/tell.svelte';
import { sayCode } from '../../lib/words';
import type {
  Happening,
  Incident,
  IncidentDetail,
  Likeness,
  Mission,
  Report,
  Suggestion,
} from '../../lib/types';
import { drafts, isTemporary, type Draft } from './kept.svelte';
import { FIELDS, asChanges, asTyped, blank, differing, type Field, type Typed } from './fields';

export type { Field } from './fields';
export type Saving = 'nothing' | 'typing' | 'saving' | 'saved' | 'kept' | 'refused';

const SAVE_AFTER_MS = 1000;
const RETRY_MS = 2000;
const PAGE = 200;

interface Page {
  events: Happening[];
  earlier: number | null;
}

interface Advice {
  suggestions: Suggestion[];
  others: Suggestion[];
  missing: string[];
}

export class Sheet {
  /** The incident on the sheet; null while a call is on the line that the record does not know yet. */
  incident = $state<string | null>(null);
  /** Set for such a call: SIP's own id for it. */
  line = $state<string | null>(null);
  callerNumber = $state<string | null>(null);
  /** When the call on the line began to ring here. */
  rangAt = $state(0);
  typed = $state<Typed>(blank());
  saving = $state<Saving>('nothing');
  trouble = $state<string | null>(null);
  detail = $state.raw<IncidentDetail | null>(null);
  /** The newest of what happened, and as much before it as was asked for. */
  timeline = $state.raw<Happening[]>([]);
  /** Whether there is more before that. */
  hasEarlier = $state(false);
  suggestions = $state.raw<Suggestion[]>([]);
  /** The units that were not suggested, each with its reasons. */
  others = $state.raw<Suggestion[]>([]);
  missing = $state.raw<string[]>([]);
  likely = $state.raw<Likeness[]>([]);
  chosen = $state<string[]>([]);
  /** Once a person has touched the choice of units, no suggestion changes it any more. */
  choiceIsTheirs = $state(false);
  busy = $state(false);

  #known: Typed = blank();
  /** The type the advice was asked for: advice about another one must not choose units. */
  #advisedFor = '';
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
    return differing(this.typed, this.#known);
  }

  // ---- opening and putting away

  async open(incident: string): Promise<void> {
    if (this.incident === incident) return this.refresh();
    const oldLine = this.line;
    const carried = oldLine ? this.dirty : null;
    if (!carried) void this.putAway();
    this.#empty();
    this.incident = incident;
    const row = live.incidents.get(incident);
    if (row) this.hear(row);
    this.#takeKept(incident);
    if (oldLine && carried) {
      Object.assign(this.typed, carried);
      this.#keep();
      drafts.drop(oldLine);
      this.#soon();
    }
    await this.refresh();
  }

  /** A call is on the line and the record does not know it: write here, it is kept. */
  openLine(line: string, number: string | null, rangAt: number): void {
    void this.putAway();
    this.line = line;
    this.callerNumber = number;
    this.rangAt = rangAt;
    this.typed.callback = number ?? '';
  }

  /** Make a record by hand: nobody rang, or the record of the ring did not reach us. */
  async create(): Promise<void> {
    const line = this.line;
    const told = line ? this.dirty : {};
    const { incident } = await post<{ incident: Incident }>('/incidents', {
      changes: asChanges(told),
      ...(this.callerNumber ? { caller_number: this.callerNumber } : {}),
    });
    live.know({ incidents: [incident] });
    if (line) drafts.drop(line);
    // Whoever turned to something else meanwhile finds the new incident in the list.
    if (this.line !== line || this.incident !== null) return;
    const since = differing(this.typed, { ...blank(), ...told });
    this.#empty();
    this.incident = incident.id;
    this.hear(incident);
    if (Object.keys(since).length > 0) {
      Object.assign(this.typed, since);
      this.#keep();
      this.#soon();
    }
    await this.refresh();
  }

  /** Clear the desk at once, and save what is left. */
  async putAway(): Promise<void> {
    const incident = this.incident;
    const left = this.dirty;
    this.#empty();
    if (!incident || Object.keys(left).length === 0) return;
    while (this.#saving) await this.#saving;
    this.#saving = this.#write(incident, left).finally(() => {
      this.#saving = null;
    });
    await this.#saving;
  }

  #empty(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#looking);
    this.incident = null;
    this.line = null;
    this.callerNumber = null;
    this.rangAt = 0;
    this.typed = blank();
    this.#known = blank();
    this.#touchedAt = {};
    this.detail = null;
    this.timeline = [];
    this.hasEarlier = false;
    this.suggestions = [];
    this.others = [];
    this.missing = [];
    this.likely = [];
    this.chosen = [];
    this.choiceIsTheirs = false;
    this.#advisedFor = '';
    this.saving = 'nothing';
    this.trouble = null;
    this.#sendKey = null;
  }

  // ---- typing and saving

  type(field: Field, value: string): void {
    if (this.typed[field] === value) return;
    this.typed[field] = value;
    this.#touchedAt[field] = Date.now();
    if (field === 'type' && !this.choiceIsTheirs) this.chosen = [];
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
      live.know({ incidents: [answer.incident] });
      if (this.incident !== incident) return drafts.drop(incident);
      Object.assign(this.#known, changes);
      this.trouble = null;
      this.#settle(incident);
      this.look();
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      const refused = isTemporary(cause) ? undefined : cause.code;
      if (refused) tell.problem(cause);
      if (this.incident !== incident) {
        const draft = drafts.of(incident);
        if (refused && draft) drafts.keep({ ...draft, refused });
        return;
      }
      this.saving = refused ? 'refused' : 'kept';
      if (!refused) this.#timer = setTimeout(() => void this.save(), RETRY_MS);
      this.#keep(refused);
    }
  }

  /** The desk has what it was told; whether that was all. */
  #settle(incident: string): void {
    if (Object.keys(this.dirty).length > 0) {
      this.#soon();
    } else {
      this.saving = 'saved';
      drafts.drop(incident);
    }
  }

  #keep(refused?: string): void {
    const name = this.incident ?? this.line;
    const changes = this.dirty;
    if (!name) return;
    if (Object.keys(changes).length === 0) return drafts.drop(name);
    drafts.keep({
      name,
      incident: this.incident,
      called: this.row?.number ?? null,
      number: this.callerNumber ?? this.row?.caller_number ?? null,
      at: Date.now(),
      changes,
      ...(refused ? { refused } : {}),
    });
  }

  #takeKept(incident: string): void {
    const kept = drafts.of(incident);
    // What was refused is taken again by hand only: the incident may be over, or somebody has the field by now.
    if (kept?.refused) return drafts.setAside(kept);
    if (!kept) return;
    Object.assign(this.typed, kept.changes);
    this.#soon();
  }

  /** Put a draft that belongs nowhere else on this sheet. What stands here already stays; the rest goes to the notes. */
  attach(draft: Draft): void {
    const notes: string[] = [];
    for (const field of FIELDS) {
      const text = draft.changes[field];
      if (!text || text === this.typed[field]) continue;
      if (field === 'notes') notes.push(text);
      else if (this.typed[field] === '') this.type(field, text);
      else if (field !== 'type' && field !== 'priority') notes.push(`${sayCode('field', field)}: ${text}`);
    }
    if (notes.length > 0) this.type('notes', [this.typed.notes, ...notes].filter(Boolean).join('\n'));
    drafts.drop(draft.name);
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
    const type = this.#known.type;
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
      this.#happened(incident, {}).then((page) => {
        if (!here()) return;
        const first = page.events[0]?.seq ?? 0;
        const before = this.timeline.filter((event) => event.seq < first);
        // What was paged back to stays, unless so much has happened since that there is a gap between.
        const joins = before.length > 0 && before.length < this.timeline.length;
        this.timeline = joins ? [...before, ...page.events] : page.events;
        if (!joins) this.hasEarlier = page.earlier !== null;
      }),
      get<Advice>(`/incidents/${incident}/suggestions`).then((advice) => {
        if (here()) this.advise(advice, type);
      }),
    ]).then((results) => {
      const failed = results.find((result) => result.status === 'rejected');
      if (failed && here() && failed.reason instanceof Problem && failed.reason.isAway) {
        this.trouble = 'away';
        this.look(RETRY_MS);
      } else if (!failed && here() && this.#advisedFor !== this.#known.type) {
        this.look();
      }
    });
  }

  /** Before the one key: what is typed is saved, and the advice is about just that. */
  async settle(): Promise<void> {
    await this.save();
    if (!this.choiceIsTheirs && this.#advisedFor !== this.typed.type) await this.refresh();
  }

  /** One page further back in what happened. */
  async lookBack(): Promise<void> {
    const incident = this.incident;
    const first = this.timeline[0];
    if (!incident || !first) return;
    const page = await this.#happened(incident, { before: first.seq });
    if (this.incident !== incident || this.timeline[0] !== first) return;
    this.timeline = [...page.events, ...this.timeline];
    this.hasEarlier = page.earlier !== null;
  }

  #happened(incident: string, from: { before?: number }): Promise<Page> {
    return get<Page>(`/incidents/${incident}/timeline${query({ newest: 1, limit: PAGE, ...from })}`);
  }

  advise({ suggestions, others, missing }: Advice, type: string): void {
    this.suggestions = suggestions;
    this.others = others;
    this.missing = missing;
    this.#advisedFor = type;
    if (this.choiceIsTheirs) {
      this.chosen = this.chosen.filter((unit) => suggestions.some((line) => line.unit === unit));
    } else if (type && type === this.typed.type && this.missions.length === 0) {
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
    const incident = this.incident;
    const told = this.dirty;
    const changes = asChanges(told);
    const of = JSON.stringify([this.incident, [...units].sort()]);
    // Pressing again because nobody answered must not ask the same units twice.
    if (this.#sendKey?.of !== of) this.#sendKey = { of, key: newKey() };
    const answer = await this.#decide<{ incident: Incident; missions: Mission[] }>(
      'send',
      { units, ...(Object.keys(changes).length > 0 ? { changes } : {}) },
      this.#sendKey.key,
    );
    this.#sendKey = null;
    live.know({ missions: answer.missions });
    if (incident && this.incident === incident) {
      Object.assign(this.#known, told);
      this.#settle(incident);
      this.chosen = [];
      this.choiceIsTheirs = false;
    }
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
