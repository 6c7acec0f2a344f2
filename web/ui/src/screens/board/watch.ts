/** What on the board wants a dispatcher's eye, and why: rules, in one place. */

import { secondsBetween } from '../../lib/format';
import { isLiveMission } from '../../lib/live.svelte';
import type { Incident, Mission } from '../../lib/types';

/** An offer is answered in seconds; after this many it stands out. */
export const ANSWER_S = 20;

export type Worry = 'needs_unit' | 'unanswered' | 'proposed' | 'refused';

export function worries(incident: Incident, missions: Mission[], now: number): Worry[] {
  const found: Worry[] = [];
  if (incident.proposed_unit) found.push('proposed');
  if (missions.some((mission) => isUnanswered(mission, now))) found.push('unanswered');
  if (incident.needs_unit) found.push('needs_unit');
  const last = missions.at(-1);
  if (last && (last.status === 'declined' || last.status === 'expired') && !missions.some(isLiveMission)) {
    found.push('refused');
  }
  return found;
}

export const isUnanswered = (mission: Mission, now: number): boolean =>
  mission.status === 'offered' && secondsBetween(mission.offered_at, now) >= ANSWER_S;

/** Worries first, then who is in the greatest danger, then who waits the longest. */
export function inOrder(a: Incident, b: Incident, worried: (incident: Incident) => boolean): number {
  return (
    Number(worried(b)) - Number(worried(a)) ||
    (a.priority ?? 3) - (b.priority ?? 3) ||
    a.opened_at.localeCompare(b.opened_at)
  );
}
