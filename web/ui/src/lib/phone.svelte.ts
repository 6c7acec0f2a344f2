/**
 * The telephone in the page: registers at Asterisk, rings, answers, holds, hangs up.
 * It needs nothing of ours but the password it was given, so it goes on when the desk is away.
 */

import type { UA } from 'jssip';
import type { RTCSession } from 'jssip/lib/RTCSession';
import type { IncomingRTCSessionEvent, RTCSessionEvent } from 'jssip/lib/UA';

export interface Credentials {
  seat: string;
  uri: string;
  password: string;
  ws_url: string;
  /** When this sitting began: whoever sits down later has the telephone. */
  since: string;
  display: string;
}

export type LineState = 'off' | 'connecting' | 'registered' | 'lost' | 'refused' | 'taken' | 'freed';

export interface LineCall {
  /** SIP's own name for the call: steady while everything else may be unknown. */
  id: string;
  number: string | null;
  incident: string | null;
  call: string | null;
  state: 'ringing' | 'answering' | 'talking' | 'held';
  rangAt: number;
  answeredAt: number | null;
  muted: boolean;
}

export interface PhoneStats {
  state: LineState;
  call: LineCall['state'] | null;
  inbound: { packets: number; lost: number; bytes: number; audioLevel: number; totalAudioEnergy: number };
  outbound: { packets: number; bytes: number; audioLevel: number; totalAudioEnergy: number };
  dtls: string | null;
  codec: string | null;
}

const REGISTER_AGAIN_MS = [500, 1000, 2000, 4000];
/** How long a telephone that no longer rings may go on looking as if it did. */
const REGISTER_EVERY_MS = 30_000;
/** Host candidates are there at once; waiting longer only keeps the caller waiting. */
const GATHER_MS = 250;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class Phone {
  line = $state<LineState>('off');
  seat = $state<string | null>(null);
  since = $state<string | null>(null);
  call = $state<LineCall | null>(null);
  micProblem = $state<string | null>(null);
  level = $state({ theirs: 0, ours: 0 });
  /** Why the last call ended, for the person who wonders. */
  lastEnd = $state<string | null>(null);

  onRing: (call: LineCall) => void = () => undefined;
  onAnswered: (call: LineCall) => void = () => undefined;
  onEnd: (call: LineCall) => void = () => undefined;

  #agent: UA | null = null;
  #session: RTCSession | null = null;
  #speaker = new Audio();
  #failures = 0;
  #meter: ReturnType<typeof setInterval> | undefined;
  #keeping: ReturnType<typeof setInterval> | undefined;

  async connect(credentials: Credentials): Promise<void> {
    this.disconnect();
    this.seat = credentials.seat;
    this.since = credentials.since;
    this.line = 'connecting';
    const { UA: Agent, WebSocketInterface } = await import('jssip');
    if (this.seat === null || this.since !== credentials.since) return;
    const agent = new Agent({
      sockets: [new WebSocketInterface(credentials.ws_url)],
      uri: credentials.uri,
      password: credentials.password,
      display_name: credentials.display,
      register_expires: 120,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 4,
      user_agent: 'Siaga 112',
    });
    this.#agent = agent;
    agent.on('registered', () => {
      if (!this.#isOurs(agent)) return;
      this.#failures = 0;
      this.line = 'registered';
    });
    agent.on('unregistered', () => {
      if (this.#isOurs(agent)) this.line = 'lost';
    });
    agent.on('registrationFailed', () => this.#registerAgain(agent));
    agent.on('disconnected', () => {
      if (this.#isOurs(agent)) this.line = 'lost';
    });
    agent.on('newRTCSession', (event: RTCSessionEvent) => {
      if (String(event.originator) === 'remote') this.#ring(event as IncomingRTCSessionEvent);
    });
    agent.start();
    this.#keeping = setInterval(this.#registerNow, REGISTER_EVERY_MS);
    addEventListener('online', this.#registerNow);
  }

  /** Still the telephone of this page, and not one whose seat somebody else has. */
  #isOurs(agent: UA): boolean {
    return this.#agent === agent && this.seat !== null;
  }

  #registerNow = (): void => {
    if (this.line === 'registered' && this.#agent?.isConnected()) this.#agent.register();
  };

  /** The seat is somebody else's, or nobody's. Nothing rings here any more; who is on the line here stays on it. */
  giveUp(why: 'taken' | 'freed'): void {
    if (this.seat === null) return;
    this.seat = null;
    this.line = why;
    this.#stopKeeping();
    if (!this.#session) this.#stop();
  }

  #stopKeeping(): void {
    clearInterval(this.#keeping);
    removeEventListener('online', this.#registerNow);
  }

  #stop(): void {
    const agent = this.#agent;
    this.#agent = null;
    this.#failures = 0;
    agent?.stop();
  }

  /** A seat's password reaches Asterisk a moment after it reached us: being refused once means nothing. */
  #registerAgain(agent: UA): void {
    if (!this.#isOurs(agent)) return;
    this.line = this.#failures > 5 ? 'refused' : 'connecting';
    const wait_ms = REGISTER_AGAIN_MS[Math.min(this.#failures++, REGISTER_AGAIN_MS.length - 1)];
    setTimeout(() => {
      if (this.#isOurs(agent) && agent.isConnected()) agent.register();
    }, wait_ms);
  }

  disconnect(): void {
    this.line = 'off';
    this.seat = null;
    this.#stopKeeping();
    this.#stop();
  }

  #ring({ session, request }: IncomingRTCSessionEvent): void {
    if (this.#session) {
      session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
      return;
    }
    this.#session = session;
    const header = (name: string) => {
      const value = request.hasHeader(name) ? request.getHeader(name).trim() : '';
      return UUID.test(value) ? value.toLowerCase() : null;
    };
    const user = request.from.uri.user;
    this.call = {
      id: session.id,
      number: /^\+?\d{3,20}$/.test(user) ? user : null,
      incident: header('X-Incident'),
      call: header('X-Call'),
      state: 'ringing',
      rangAt: Date.now(),
      answeredAt: null,
      muted: false,
    };
    this.lastEnd = null;
    session.on('peerconnection', ({ peerconnection }) => this.#listen(peerconnection));
    session.on('icecandidate', ({ ready }) => setTimeout(ready, GATHER_MS));
    session.on('confirmed', () => this.#talking());
    session.on('hold', () => this.#set({ state: 'held' }));
    session.on('unhold', () => this.#set({ state: 'talking' }));
    session.on('muted', () => this.#set({ muted: true }));
    session.on('unmuted', () => this.#set({ muted: false }));
    session.on('getusermediafailed', (error: unknown) => {
      this.micProblem = error instanceof Error ? error.name : String(error);
    });
    session.on('ended', ({ cause }) => this.#ended(session, cause));
    session.on('failed', ({ cause }) => this.#ended(session, cause));
    this.onRing(this.call);
  }

  #set(change: Partial<LineCall>): void {
    if (this.call) this.call = { ...this.call, ...change };
  }

  #talking(): void {
    this.micProblem = null;
    this.#set({ state: 'talking', answeredAt: this.call?.answeredAt ?? Date.now() });
    this.#meter = setInterval(() => void this.#measure(), 300);
    if (this.call) this.onAnswered(this.call);
  }

  #listen(connection: RTCPeerConnection): void {
    connection.addEventListener('track', (event) => {
      this.#speaker.srcObject = event.streams[0] ?? new MediaStream([event.track]);
      this.#speaker.play().catch(() => undefined);
    });
  }

  #ended(session: RTCSession, cause: string): void {
    if (this.#session !== session) return;
    clearInterval(this.#meter);
    this.#session = null;
    this.#speaker.srcObject = null;
    this.level = { theirs: 0, ours: 0 };
    this.lastEnd = cause;
    const call = this.call;
    this.call = null;
    if (this.seat === null) this.#stop();
    if (call) this.onEnd(call);
  }

  answer(): void {
    if (this.call?.state !== 'ringing' || !this.#session) return;
    this.#set({ state: 'answering' });
    this.#session.answer({
      mediaConstraints: { audio: { echoCancellation: true, noiseSuppression: true }, video: false },
      pcConfig: { iceServers: [] },
    });
  }

  hangUp(): void {
    this.#session?.terminate();
  }

  holdOrResume(): void {
    if (!this.#session || !this.call) return;
    if (this.call.state === 'held') this.#session.unhold();
    else if (this.call.state === 'talking') this.#session.hold();
  }

  muteOrUnmute(): void {
    if (!this.#session || !this.call) return;
    if (this.call.muted) this.#session.unmute({ audio: true });
    else this.#session.mute({ audio: true });
  }

  async #measure(): Promise<void> {
    const { inbound, outbound } = await this.stats();
    this.level = { theirs: inbound.audioLevel, ours: this.call?.muted ? 0 : outbound.audioLevel };
  }

  /** What went over the line so far; tests use it to prove that both sides can hear. */
  async stats(): Promise<PhoneStats> {
    const sum: PhoneStats = {
      state: this.line,
      call: this.call?.state ?? null,
      inbound: { packets: 0, lost: 0, bytes: 0, audioLevel: 0, totalAudioEnergy: 0 },
      outbound: { packets: 0, bytes: 0, audioLevel: 0, totalAudioEnergy: 0 },
      dtls: null,
      codec: null,
    };
    const report = await this.#session?.connection.getStats();
    report?.forEach((part: Record<string, unknown>) => {
      const number = (name: string) => (typeof part[name] === 'number' ? part[name] : 0);
      if (part['type'] === 'inbound-rtp') {
        sum.inbound.packets += number('packetsReceived');
        sum.inbound.lost += number('packetsLost');
        sum.inbound.bytes += number('bytesReceived');
        sum.inbound.audioLevel = Math.max(sum.inbound.audioLevel, number('audioLevel'));
        sum.inbound.totalAudioEnergy += number('totalAudioEnergy');
      } else if (part['type'] === 'outbound-rtp') {
        sum.outbound.packets += number('packetsSent');
        sum.outbound.bytes += number('bytesSent');
      } else if (part['type'] === 'media-source') {
        sum.outbound.audioLevel = Math.max(sum.outbound.audioLevel, number('audioLevel'));
        sum.outbound.totalAudioEnergy += number('totalAudioEnergy');
      } else if (part['type'] === 'transport') {
        sum.dtls = typeof part['dtlsState'] === 'string' ? part['dtlsState'] : sum.dtls;
      } else if (part['type'] === 'codec' && typeof part['mimeType'] === 'string') {
        sum.codec = part['mimeType'];
      }
    });
    return sum;
  }
}

declare global {
  interface Window {
    /** A handle for tests and for a technician at the browser's console. */
    siagaPhone?: Phone;
  }
}
