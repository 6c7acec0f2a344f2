/** The shapes the desk's HTTP interface and live feed speak, as the consoles use them. */

export type Role =
  'call_taker' | 'dispatcher' | 'supervisor' | 'unit' | 'agency_officer' | 'leader' | 'citizen' | 'admin';

export interface Me {
  login: string;
  name: string;
  role: Role;
  agency: string | null;
  unit: { id: string; call_sign: string } | null;
  csrf: string;
  seat: { name: string; status: SeatStatus } | null;
  language: 'id' | 'en';
  may: string[];
  home: string;
}

export interface Place {
  lat: number;
  lon: number;
  radius_m: number | null;
  confidence: number | null;
  method: 'pidf-lo' | 'trunk' | 'pin' | 'gazetteer' | 'gps' | 'geocoder';
  text: string;
  kelurahan: string | null;
  kecamatan: string | null;
}

export type IncidentStatus = 'open' | 'triaged' | 'closed' | 'reported' | 'duplicate' | 'cancelled';
export type MissionStatus =
  | 'offered'
  | 'accepted'
  | 'en_route'
  | 'on_scene'
  | 'transporting'
  | 'at_hospital'
  | 'cleared'
  | 'declined'
  | 'expired'
  | 'withdrawn';
export type UnitStatus = 'off_duty' | 'available' | 'out_of_service';
export type CallStatus =
  'ringing' | 'talking' | 'held' | 'ended' | 'abandoned' | 'callback' | 'reached' | 'unreachable';
export type SeatStatus = 'free' | 'ready' | 'paused';
export type ReportStatus =
  | 'waiting'
  | 'verified'
  | 'assigned'
  | 'in_progress'
  | 'resolved'
  | 'closed'
  | 'rejected'
  | 'duplicate'
  | 'upgraded';

export interface Incident {
  id: string;
  number: number;
  version: number;
  status: IncidentStatus;
  stage: string;
  opened_at: string;
  source: string;
  type: string | null;
  priority: number | null;
  place: Place | null;
  address: string;
  notes: string;
  hazards: string;
  caller_name: string | null;
  caller_number: string | null;
  callback: string | null;
  handled_by: string | null;
  triaged_at: string | null;
  closed_at: string | null;
  outcome: string | null;
  outcome_note: string | null;
  duplicate_of: string | null;
  report: string | null;
  /** The unit asked did not come; this one could be next. */
  proposed_unit: string | null;
  needs_unit: boolean;
  calls: number;
  live_missions: number;
}

export interface Mission {
  id: string;
  version: number;
  incident: string;
  unit: string;
  call_sign: string;
  status: MissionStatus;
  offered_at: string;
  alerts: number;
  delivered_at: string | null;
  accepted_at: string | null;
  en_route_at: string | null;
  on_scene_at: string | null;
  transporting_at: string | null;
  at_hospital_at: string | null;
  ended_at: string | null;
  reason: string | null;
  outcome: string | null;
  note: string | null;
  by: string | null;
  /** The crew told us of it later than it was, or in another order. */
  out_of_order?: boolean;
}

export interface Unit {
  id: string;
  version: number;
  call_sign: string;
  agency: string;
  kind: string;
  capabilities: string[];
  status: UnitStatus;
  reason: string | null;
  since: string;
  busy: boolean;
  mission: string | null;
  mission_status: MissionStatus | null;
  incident: string | null;
  station_lat: number;
  station_lon: number;
  lat: number | null;
  lon: number | null;
  position_at: string | null;
  online: boolean;
}

export interface Call {
  id: string;
  version: number;
  incident: string | null;
  status: CallStatus;
  ani: string | null;
  trunk: string | null;
  place: Place | null;
  call_taker: string | null;
  seat: string | null;
  rang_at: string;
  answered_at: string | null;
  ended_at: string | null;
  /** Of a caller who was not reached when rung back: why. */
  cause: string | null;
  class: string | null;
}

export interface Seat {
  id: string;
  version: number;
  name: string;
  status: SeatStatus;
  account: string | null;
  since: string;
}

export interface Report {
  id: string;
  number: string;
  version: number;
  status: ReportStatus;
  category: string;
  agency: string;
  area: string | null;
  description: string;
  created_at: string;
  source: string;
  officer: string | null;
  incident: string | null;
  place: Place | null;
  address: string;
  reporter_name: string | null;
  reporter_number: string | null;
  bounces: number;
  resolution: string | null;
  reason: string | null;
  resolved_at: string | null;
  closed_at: string | null;
}

export interface Board {
  cursor: string;
  incidents: Incident[];
  missions: Mission[];
  units: Unit[];
  calls: Call[];
  seats: Seat[];
  reports?: Report[];
}

export interface EarlierCall {
  call: string;
  incident: string | null;
  number: number | null;
  rang_at: string;
  type: string | null;
  status: string;
  class: string | null;
  outcome: string | null;
  address: string | null;
}

export interface Likeness {
  incident: Incident;
  score: number;
  distance_m: number | null;
  minutes: number;
  reasons: string[];
}

export interface IncidentDetail {
  incident: Incident;
  calls: Call[];
  missions: Mission[];
  earlier_calls: EarlierCall[];
  duplicates: Likeness[];
  report: Report | null;
}

export interface Suggestion {
  unit: string;
  call_sign: string;
  kind: string;
  agency: string;
  distance_m: number | null;
  eta_s: number | null;
  position_age_s: number | null;
  capable: boolean;
  /** Together the picked ones bring what the incident needs. */
  picked?: boolean;
  reasons: string[];
}

export interface Happening {
  seq: number;
  at: string;
  kind: string;
  subject?: string;
  type: string;
  by: string;
  data: Record<string, unknown>;
}

export interface IncidentType {
  hazards: string;
  code: string;
  name: string;
  name_en: string;
  priority: number;
  capabilities: string[];
  group: string;
}
export interface Category {
  code: string;
  name: string;
  name_en: string;
  agency: string;
}
export interface Agency {
  code: string;
  name: string;
  name_en: string;
  phone: string | null;
}

export interface Config {
  city: { code: string; name: string };
  languages: string[];
  tiles_url: string | null;
  /** Whether a map service can be asked for addresses, with `more`. */
  geocoder: boolean;
  centre: { lat: number; lon: number };
  bounds: [number, number, number, number];
  types: IncidentType[];
  categories: Category[];
  agencies: Agency[];
  outcomes: string[];
  call_classes: string[];
  priorities: number[];
}

export interface PlaceHit {
  source: 'gazetteer' | 'geocoder';
  name: string;
  label: string;
  kind: string;
  lat: number;
  lon: number;
  kelurahan: string | null;
  kecamatan: string | null;
  distance_m?: number | null;
}

/** What a responder is told of one mission: everything needed to go. */
export interface MissionView {
  id: string;
  version: number;
  incident: string;
  number: number;
  status: MissionStatus;
  offered_at: string;
  alerts: number;
  type: string | null;
  type_name: string | null;
  type_name_en: string | null;
  priority: number | null;
  place: Place | null;
  address: string | null;
  caller_name: string | null;
  callback: string | null;
  hazards: string | null;
  notes: string | null;
  other_units: { call_sign: string; kind: string; status: string }[];
  accepted_at?: string | null;
  en_route_at?: string | null;
  on_scene_at?: string | null;
  transporting_at?: string | null;
  at_hospital_at?: string | null;
  ended_at?: string | null;
}

export interface Tracked {
  number: string;
  category: string;
  category_name: string;
  category_name_en: string | null;
  area: string | null;
  status: 'menunggu' | 'proses' | 'selesai';
  created_at: string;
  steps: {
    at: string;
    step: string;
    agency?: string | null;
    agency_name?: string | null;
    note?: string | null;
  }[];
}

export interface Times {
  count: number;
  median_s: number | null;
  p90_s: number | null;
  target_s: number | null;
  within_target: number | null;
}

export interface Figures {
  since: string;
  until: string;
  incidents: {
    total: number;
    open: number;
    by_type: Record<string, number>;
    by_outcome: Record<string, number>;
    by_kecamatan: Record<string, number>;
  };
  calls: { total: number; answered: number; abandoned: number; by_class: Record<string, number> };
  reports: { total: number; by_status: Record<string, number>; by_agency: Record<string, number> };
  times: Record<string, Times>;
  units: { available: number; busy: number; off_duty: number; out_of_service: number };
}
