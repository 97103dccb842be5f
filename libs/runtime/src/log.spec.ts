import { redact } from './log.js';

describe('a logged line', () => {
  it.each([
    ['lk_live_cs_0123456789012345678901234567890123456789012abcdef', '[secret]'],
    ['signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'signed with [secret]'],
    ['GET /x?apikey=abcd&y=1', 'GET /x?apikey=[secret]&y=1'],
    ['Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end', 'Bearer [secret] end'],
    ['plain text', 'plain text'],
  ])('shows %s as %s', (line, shown) => expect(redact(line)).toBe(shown));
});
