/** The fields of the one form, as they are typed and as the desk wants them. */

import type { Incident } from '../../lib/types';

export const FIELDS = ['address', 'type', 'priority', 'caller_name', 'callback', 'notes', 'hazards'] as const;
export type Field = (typeof FIELDS)[number];
export type Typed = Record<Field, string>;

export const blank = (): Typed => ({
  address: '',
  type: '',
  priority: '',
  caller_name: '',
  callback: '',
  notes: '',
  hazards: '',
});

export const asTyped = (row: Incident): Typed => ({
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

/** What differs in `typed` from `known`. */
export const differing = (typed: Typed, known: Typed): Partial<Typed> =>
  Object.fromEntries(
    FIELDS.filter((field) => typed[field] !== known[field]).map((field) => [field, typed[field]]),
  );
