import type { CutOff, Entry, Issued, Presentation, Revival, Span } from './history.js';

/** Why a presentation should not have ended as it did. */
export interface Violation {
  kind: 'accepted-after-cut-off' | 'accepted-without-issue' | 'refused-while-live';
  presentation: Presentation;
  /** The call that had answered before an acceptance began. */
  cutOff?: CutOff;
  /** How long after that answer it was presented. */
  afterMillis?: number;
  /** PostgreSQL was away for a part of it: even then a refusal is wrong, since 503 says what is true. */
  duringOutage: boolean;
}

/** What a history shows. */
export interface Verdict {
  violations: Violation[];
  presentations: number;
  /** Presentations that had to end as they did: of credentials that were surely alive, or surely dead. */
  acceptedLive: number;
  refusedDead: number;
  /** Surely dead, and without a yes or no. */
  unansweredDead: number;
  /** Presented while a call that ends or revives was under way, or may have been: any answer is right. */
  undecided: number;
  unanswered: number;
  /** The shortest time between the answer of a cut-off and a presentation that was refused because of it. */
  closestMillis: number | undefined;
}

/** Two clocks are compared for what ends by itself: the server's and ours. */
const expiryMarginMillis = 5_000;

/**
 * Finds, in the history of a run, acceptances that began after the call that ended their credential had answered, and
 * refusals of credentials that were alive all the while. It gives the benefit of the doubt wherever calls overlap or their
 * outcome is not known, and nowhere else.
 */
export function checkHistory(entries: Iterable<Entry>): Verdict {
  const { issued, presentations, events, outages } = sort(entries);
  const verdict: Verdict = {
    violations: [],
    presentations: presentations.length,
    acceptedLive: 0,
    refusedDead: 0,
    unansweredDead: 0,
    undecided: 0,
    unanswered: 0,
    closestMillis: undefined,
  };
  for (const presentation of presentations) {
    const credential = issued.get(presentation.credential);
    judge(verdict, presentation, credential, events, outages);
  }
  return verdict;
}

/** What was done to a thing. */
interface Events {
  cutOffs: CutOff[];
  revivals: Revival[];
}

function sort(entries: Iterable<Entry>) {
  const issued = new Map<string, Issued>();
  const presentations: Presentation[] = [];
  const outages: Span[] = [];
  const events = new Map<string, Events>();
  const eventsOf = (thing: string) => {
    const known = events.get(thing) ?? { cutOffs: [], revivals: [] };
    events.set(thing, known);
    return known;
  };
  for (const entry of entries) {
    if (entry.type === 'issued') issued.set(entry.credential, entry);
    else if (entry.type === 'presentation') presentations.push(entry);
    else if (entry.type === 'outage') outages.push(entry);
    else if (entry.type === 'cut-off' && entry.outcome !== 'refused') eventsOf(entry.thing).cutOffs.push(entry);
    else if (entry.type === 'revival' && entry.outcome !== 'refused') eventsOf(entry.thing).revivals.push(entry);
  }
  return { issued, presentations, events, outages };
}

function judge(
  verdict: Verdict,
  presentation: Presentation,
  credential: Issued | undefined,
  events: Map<string, Events>,
  outages: Span[],
): void {
  const duringOutage = outages.some((outage) => overlap(outage, presentation));
  const { outcome } = presentation;
  if (outcome === 'unanswered') verdict.unanswered++;
  if (!credential || presentation.end < credential.begin) {
    if (outcome === 'accepted') verdict.violations.push({ kind: 'accepted-without-issue', presentation, duringOutage });
    else if (outcome === 'refused') verdict.refusedDead++;
    return;
  }
  const cutOff = deadSince(credential, presentation, events);
  if (cutOff) {
    const afterMillis = presentation.begin - latest(cutOff);
    if (outcome === 'accepted') {
      verdict.violations.push({ kind: 'accepted-after-cut-off', presentation, cutOff, afterMillis, duringOutage });
    } else if (outcome === 'refused') {
      verdict.refusedDead++;
      verdict.closestMillis = Math.min(verdict.closestMillis ?? Infinity, afterMillis);
    } else verdict.unansweredDead++;
  } else if (isSurelyLive(credential, presentation, events)) {
    if (outcome === 'refused') verdict.violations.push({ kind: 'refused-while-live', presentation, duringOutage });
    else if (outcome === 'accepted') verdict.acceptedLive++;
  } else if (outcome !== 'unanswered') verdict.undecided++;
}

/** The first moment at which a cut-off may have taken effect. */
const earliest = (cutOff: CutOff) => cutOff.planned?.earliest ?? cutOff.begin;

/** The moment from which it has; never, as far as anyone can tell, if there was no answer. */
const latest = (cutOff: CutOff) => (cutOff.outcome === 'done' ? (cutOff.planned?.latest ?? cutOff.end) : Infinity);

/** A revival without an answer may take effect at any time after it began. */
const revivedAt = (revival: Revival) => (revival.outcome === 'done' ? revival.end : Infinity);

const overlap = (one: Span, other: Span) => one.begin <= other.end && other.begin <= one.end;

/** The cut-off by which a credential was surely dead when it was presented, and until it was answered. */
function deadSince(credential: Issued, { begin, end }: Span, events: Map<string, Events>): CutOff | undefined {
  for (const thing of credential.needs) {
    const { cutOffs, revivals } = events.get(thing) ?? none;
    const found = cutOffs.find(
      (cutOff) =>
        !cutOff.boundOnly && latest(cutOff) < begin && !revivals.some((revival) => mayFollow(revival, cutOff) && revival.begin < end),
    );
    if (found) return found;
  }
  for (const thing of credential.boundTo) {
    const { cutOffs, revivals } = events.get(thing) ?? none;
    const found = cutOffs.find((cutOff) => latest(cutOff) < begin && issuedBefore(credential, cutOff, revivals));
    if (found) return found;
  }
  return undefined;
}

const none: Events = { cutOffs: [], revivals: [] };

/** Whether a revival may have taken effect after a cut-off did. */
const mayFollow = (revival: Revival, cutOff: CutOff) => revivedAt(revival) >= earliest(cutOff);

/**
 * Whether a credential carries a generation from before the cut-off. One that was issued while the cut-off was under way
 * does too: after it had taken effect none was issued, until a revival.
 */
function issuedBefore(credential: Issued, cutOff: CutOff, revivals: Revival[]): boolean {
  if (cutOff.boundOnly) return credential.end < earliest(cutOff);
  return !revivals.some((revival) => mayFollow(revival, cutOff) && revival.begin < credential.end);
}

/** Whether a credential was alive from before it was presented until after it was answered, as far as calls can tell. */
function isSurelyLive(credential: Issued, { begin, end }: Span, events: Map<string, Events>): boolean {
  if (credential.end > begin || end > (credential.expires ?? Infinity) - expiryMarginMillis) return false;
  const untouched = (cutOff: CutOff) => earliest(cutOff) > end;
  const needsLive = credential.needs.every((thing) => {
    const { cutOffs, revivals } = events.get(thing) ?? none;
    const undone = (cutOff: CutOff) => revivals.some((revival) => revival.begin > latest(cutOff) && revivedAt(revival) < begin);
    return cutOffs.every((cutOff) => cutOff.boundOnly || untouched(cutOff) || undone(cutOff));
  });
  if (!needsLive) return false;
  return credential.boundTo.every((thing) =>
    (events.get(thing) ?? none).cutOffs.every((cutOff) => untouched(cutOff) || credential.begin > latest(cutOff)),
  );
}
