import { checkHistory } from './checker.js';
import type { CutOff, Entry, Issued, Presentation, Revival } from './history.js';

const issued = (more: Partial<Issued> = {}): Issued => ({
  type: 'issued',
  credential: 'c',
  kind: 'secret',
  needs: ['version', 'client'],
  boundTo: [],
  begin: 0,
  end: 10,
  ...more,
});
const token = (more: Partial<Issued> = {}): Issued =>
  issued({ kind: 'tool-token', needs: ['version'], boundTo: ['client', 'repository'], ...more });
const cutOff = (begin: number, end: number, more: Partial<CutOff> = {}): CutOff => ({
  type: 'cut-off',
  act: 'regenerate',
  thing: 'version',
  outcome: 'done',
  begin,
  end,
  ...more,
});
const revival = (begin: number, end: number, more: Partial<Revival> = {}): Revival => ({
  type: 'revival',
  act: 'resume',
  thing: 'repository',
  outcome: 'done',
  begin,
  end,
  ...more,
});
const presented = (outcome: Presentation['outcome'], begin: number, end: number, more: Partial<Presentation> = {}): Presentation => ({
  type: 'presentation',
  credential: 'c',
  node: 'authority-1',
  way: 'token',
  outcome,
  answer: '',
  begin,
  end,
  ...more,
});
const kinds = (...entries: Entry[]) => checkHistory(entries).violations.map(({ kind }) => kind);

describe('the checker finds', () => {
  it('an acceptance that began after the cut-off had answered', () => {
    const { violations } = checkHistory([issued(), cutOff(20, 30), presented('accepted', 31, 40)]);
    expect(violations).toMatchObject([
      { kind: 'accepted-after-cut-off', afterMillis: 1, cutOff: { act: 'regenerate' }, duringOutage: false },
    ]);
  });

  it('it in whatever order the history was written', () => {
    expect(kinds(presented('accepted', 31, 40), cutOff(20, 30), issued())).toEqual(['accepted-after-cut-off']);
  });

  it('an acceptance long after, and after many refusals', () => {
    const refusals = Array.from({ length: 50 }, (_, index) => presented('refused', 40 + index, 41 + index));
    expect(kinds(issued(), cutOff(20, 30), ...refusals, presented('accepted', 9_000, 9_001))).toEqual(['accepted-after-cut-off']);
  });

  it('a refusal of a credential that nothing had touched', () => {
    expect(kinds(issued(), presented('refused', 11, 12))).toEqual(['refused-while-live']);
  });

  it('a refusal that was answered before the cut-off began', () => {
    expect(kinds(issued(), presented('refused', 15, 19), cutOff(20, 30))).toEqual(['refused-while-live']);
  });

  it('a refusal while PostgreSQL was away, and says so', () => {
    const { violations } = checkHistory([issued(), presented('refused', 15, 19), { type: 'outage', begin: 18, end: 500 }]);
    expect(violations).toMatchObject([{ kind: 'refused-while-live', duringOutage: true }]);
  });

  it('an acceptance of something that was never issued, or not yet', () => {
    expect(kinds(presented('accepted', 1, 2))).toEqual(['accepted-without-issue']);
    expect(kinds(issued({ begin: 5 }), presented('accepted', 1, 2))).toEqual(['accepted-without-issue']);
  });

  it('a token that outlives its secret version', () => {
    expect(kinds(token(), cutOff(20, 30), presented('accepted', 31, 32))).toEqual(['accepted-after-cut-off']);
  });

  it('a token that was minted while the cut-off was under way and outlives it', () => {
    const late = token({ begin: 22, end: 35 });
    expect(kinds(late, cutOff(20, 30), presented('accepted', 36, 37))).toEqual(['accepted-after-cut-off']);
    expect(kinds(late, cutOff(20, 30, { thing: 'client' }), presented('accepted', 36, 37))).toEqual(['accepted-after-cut-off']);
  });

  it('a token that was minted after the cut-off had answered, as well as its minting', () => {
    const secret = issued({ credential: 's', needs: ['client'] });
    const minting = presented('accepted', 31, 35, { credential: 's' });
    const minted = token({ begin: 31, end: 35 });
    expect(kinds(secret, minting, minted, cutOff(20, 30, { thing: 'client' }), presented('accepted', 36, 37))).toEqual([
      'accepted-after-cut-off',
      'accepted-after-cut-off',
    ]);
  });

  it('a token from before a suspension that is accepted after the repository was resumed', () => {
    const suspension = cutOff(20, 30, { thing: 'repository', act: 'suspend' });
    expect(kinds(token(), suspension, revival(40, 50), presented('accepted', 60, 61))).toEqual(['accepted-after-cut-off']);
  });

  it('a token from after the resumption that is refused', () => {
    const suspension = cutOff(20, 30, { thing: 'repository', act: 'suspend' });
    expect(kinds(token({ begin: 55, end: 57 }), suspension, revival(40, 50), presented('refused', 60, 61))).toEqual(['refused-while-live']);
  });

  it('a secret of a suspended repository that is accepted before anyone asked for its resumption', () => {
    const secret = issued({ needs: ['version', 'repository'] });
    const suspension = cutOff(20, 30, { thing: 'repository', act: 'suspend' });
    expect(kinds(secret, suspension, revival(40, 50), presented('accepted', 31, 39))).toEqual(['accepted-after-cut-off']);
  });

  it('a secret that is still refused when the resumption has answered', () => {
    const secret = issued({ needs: ['version', 'repository'] });
    const suspension = cutOff(20, 30, { thing: 'repository', act: 'suspend' });
    expect(kinds(secret, suspension, revival(40, 50), presented('refused', 51, 52))).toEqual(['refused-while-live']);
  });

  it('a second suspension’s acceptance, whatever the first resumption excused', () => {
    const secret = issued({ needs: ['repository'] });
    const suspend = (begin: number, end: number) => cutOff(begin, end, { thing: 'repository', act: 'suspend' });
    expect(kinds(secret, suspend(20, 30), revival(40, 50), suspend(60, 70), presented('accepted', 71, 72))).toEqual([
      'accepted-after-cut-off',
    ]);
  });

  it('an acceptance after a planned end has passed, and a refusal before it may come', () => {
    const rotation = cutOff(20, 30, { planned: { earliest: 1_020, latest: 1_030 } });
    expect(kinds(issued(), rotation, presented('accepted', 1_031, 1_032))).toEqual(['accepted-after-cut-off']);
    expect(kinds(issued(), rotation, presented('refused', 500, 1_019))).toEqual(['refused-while-live']);
  });

  it('a session from before a changed password, while the user lives on', () => {
    const change = cutOff(20, 30, { thing: 'user', boundOnly: true });
    const session = issued({ kind: 'session', needs: ['repository'], boundTo: ['user'] });
    expect(kinds(session, change, presented('accepted', 31, 32))).toEqual(['accepted-after-cut-off']);
    expect(kinds(issued({ needs: ['user'] }), change, presented('refused', 31, 32))).toEqual(['refused-while-live']);
  });
});

describe('the checker lets pass', () => {
  it('an acceptance that began before the answer, however late it ended', () => {
    expect(kinds(issued(), cutOff(20, 30), presented('accepted', 29.9, 10_000))).toEqual([]);
    expect(kinds(issued(), cutOff(20, 30), presented('accepted', 30, 31))).toEqual([]);
    expect(kinds(token(), cutOff(20, 30, { thing: 'client' }), presented('accepted', 30, 31))).toEqual([]);
  });

  it('a refusal that ended after the cut-off had begun', () => {
    expect(kinds(issued(), cutOff(20, 30), presented('refused', 15, 20))).toEqual([]);
  });

  it('either answer while the cut-off is under way', () => {
    expect(kinds(issued(), cutOff(20, 30), presented('accepted', 21, 22), presented('refused', 23, 24))).toEqual([]);
  });

  it('either answer after a cut-off whose outcome is not known, for good', () => {
    const unknown = cutOff(20, 30, { outcome: 'unknown' });
    expect(kinds(issued(), unknown, presented('accepted', 99_000, 99_001), presented('refused', 99_000, 99_001))).toEqual([]);
  });

  it('either answer after an unknown cut-off even if a revival has answered: the cut-off may come later', () => {
    const secret = issued({ needs: ['repository'] });
    const unknown = cutOff(20, 30, { outcome: 'unknown', thing: 'repository' });
    expect(kinds(secret, unknown, revival(40, 50), presented('refused', 60, 61), presented('accepted', 60, 61))).toEqual([]);
  });

  it('either answer after a revival whose outcome is not known', () => {
    const secret = issued({ needs: ['repository'] });
    const suspension = cutOff(20, 30, { thing: 'repository' });
    const unknown = revival(40, 50, { outcome: 'unknown' });
    expect(kinds(secret, suspension, unknown, presented('refused', 60, 61), presented('accepted', 60, 61))).toEqual([]);
  });

  it('503, lost connections and time-outs, of the living and the dead', () => {
    expect(kinds(issued(), presented('unanswered', 11, 12), cutOff(20, 30), presented('unanswered', 31, 32))).toEqual([]);
  });

  it('either answer around the time at which a credential ends by itself', () => {
    expect(kinds(issued({ expires: 20_000 }), presented('accepted', 19_000, 19_001), presented('refused', 16_000, 16_001))).toEqual([]);
  });

  it('a token that may have been minted after the revival', () => {
    const suspension = cutOff(20, 30, { thing: 'repository' });
    const across = token({ begin: 15, end: 45 });
    expect(kinds(across, suspension, revival(40, 50), presented('accepted', 60, 61), presented('refused', 60, 61))).toEqual([]);
  });

  it('a session that was made while the password changed', () => {
    const change = cutOff(20, 30, { thing: 'user', boundOnly: true });
    const session = issued({ kind: 'session', needs: [], boundTo: ['user'], begin: 19, end: 25 });
    expect(kinds(session, change, presented('accepted', 31, 32), presented('refused', 31, 32))).toEqual([]);
  });

  it('a credential that lives on when the call was refused, and finds its refusal', () => {
    const refused = cutOff(20, 30, { outcome: 'refused' });
    expect(kinds(issued(), refused, presented('accepted', 31, 32))).toEqual([]);
    expect(kinds(issued(), refused, presented('refused', 31, 32))).toEqual(['refused-while-live']);
  });

  it('a refusal before the credential was in anyone’s hands', () => {
    expect(kinds(issued(), presented('refused', 5, 12))).toEqual([]);
  });
});

describe('the verdict', () => {
  it('counts what had to end as it did, and how close to the cut-off it came', () => {
    const verdict = checkHistory([
      issued(),
      presented('accepted', 11, 12),
      cutOff(20, 30),
      presented('accepted', 21, 22),
      presented('refused', 30.5, 31),
      presented('refused', 99, 100),
      presented('unanswered', 99, 100),
    ]);
    expect(verdict).toEqual({
      violations: [],
      presentations: 5,
      acceptedLive: 1,
      refusedDead: 2,
      unansweredDead: 1,
      undecided: 1,
      unanswered: 1,
      closestMillis: 0.5,
    });
  });
});
