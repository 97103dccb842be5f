import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { Answer } from './answer.js';
import { presented, type Identified } from './authentication.js';
import { EarlyReads } from './early-reads.js';

const anna = (change: Partial<Identified['caller']> = {}, clientId = 'tool'): Identified => ({
  caller: { tenantId: 't', repositoryId: 'r', userId: 1001, permissions: new Set(['content:read', 'users:read']), ...change },
  clientId,
});
const answerFor = ({ caller }: Identified): Answer => ({ status: 200, body: `${caller.userId} ${[...caller.permissions].join(' ')}` });

/** Answers requests with the same credential one after the other; each with what its check says. */
function requests() {
  const earlyReads = new EarlyReads();
  const reads: { for: Identified; identified: boolean }[] = [];
  const request = async (check: () => Promise<Identified>, read = async (who: Identified) => answerFor(who), presented = 'credential') => {
    let identified = false;
    const identify = async () => {
      const who = await check();
      identified = true;
      return who;
    };
    const noted = (who: Identified) => {
      reads.push({ for: who, identified });
      return read(who);
    };
    return earlyReads.answer(presented, identify, noted);
  };
  return { request, reads };
}

describe('a read that is begun while the check is under way', () => {
  it('is for a caller who is known from before, and done once', async () => {
    const { request, reads } = requests();
    await request(async () => anna());
    expect(await request(async () => anna())).toEqual(answerFor(anna()));
    expect(reads.map(({ identified }) => identified)).toEqual([true, false]);
  });

  it('is answered to nobody before the check has been', async () => {
    const { request } = requests();
    await request(async () => anna());
    const { promise: check, resolve: answerCheck } = Promise.withResolvers<Identified>();
    const order: string[] = [];
    const answered = request(() => check).then(() => order.push('answered'));
    await turn();
    order.push('the check says yes');
    answerCheck(anna());
    await answered;
    expect(order).toEqual(['the check says yes', 'answered']);
  });

  it.each([
    ['may do less now', anna({ permissions: new Set(['content:read']) })],
    ['may do something else now', anna({ permissions: new Set(['content:read', 'content:write']) })],
    ['may do more now', anna({ permissions: new Set(['content:read', 'users:read', 'content:write']) })],
    ['is another user now', anna({ userId: 1002 })],
    ['is of another client now', anna({}, 'other')],
    ['is of another tenant now', anna({ tenantId: 'u' })],
    ['is of another repository now', anna({ repositoryId: 's' })],
  ])('is thrown away and done again for a caller who %s', async (_, now) => {
    const { request, reads } = requests();
    await request(async () => anna());
    expect(await request(async () => now)).toEqual(answerFor(now));
    expect(reads.map((read) => read.for)).toEqual([anna(), anna(), now]);
    await request(async () => now);
    expect(reads.at(-1)).toEqual({ for: now, identified: false });
  });

  it('is thrown away when the check refuses, which is not kept waiting by it, and not begun again', async () => {
    const { request, reads } = requests();
    const refused = async () => {
      throw new Error('refused');
    };
    await request(async () => anna());
    const endless = () => new Promise<Answer>(() => undefined);
    await expect(Promise.race([request(refused, endless), wait(5_000, 'kept waiting', { ref: false })])).rejects.toThrow('refused');
    await expect(request(refused)).rejects.toThrow('refused');
    expect(reads).toHaveLength(2);
  });

  it('fails for whom the check lets in, and for nobody else', async () => {
    const { request } = requests();
    const failed = async () => {
      throw new Error('not found');
    };
    await request(async () => anna());
    await expect(request(async () => anna(), failed)).rejects.toThrow('not found');
    await expect(
      request(async () => {
        throw new Error('refused');
      }, failed),
    ).rejects.toThrow('refused');
  });

  it('is not begun for another credential of the same caller', async () => {
    const { request, reads } = requests();
    await request(async () => anna());
    await request(async () => anna(), undefined, 'another');
    expect(reads.map(({ identified }) => identified)).toEqual([true, true]);
  });
});

describe('what a caller is remembered by', () => {
  const digestOf = (headers: object, query = '', id = 'r') => presented({ id } as never, { headers } as never, new URLSearchParams(query));

  it('tells repository and credential from all others, whatever else is asked for, and holds nothing of the credential', () => {
    const digests = [
      digestOf({}),
      digestOf({}, '', 's'),
      digestOf({ authorization: 'Bearer one' }),
      digestOf({ authorization: 'Bearer two' }),
      digestOf({ apikey: 'one' }),
      digestOf({}, 'apikey=two'),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    expect(digestOf({ apikey: 'one' }, '$select=Id')).toBe(digestOf({ apikey: 'one' }, '$select=Name'));
    expect(digests.every((digest) => /^[\w+/]{43}=$/.test(digest))).toBe(true);
  });
});
