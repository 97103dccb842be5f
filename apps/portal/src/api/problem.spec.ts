import { ApiProblem, faultsByField, problemFrom, toProblem, unreachable } from './problem.ts';

const document = {
  type: 'http://localhost:4000/docs/problems/invalid-request',
  title: 'The request is not valid',
  status: 400,
  detail: 'Three things are wrong.',
  requestId: 'r1',
  errors: [
    { pointer: '/slug', detail: 'is too short' },
    { pointer: '/slug', detail: 'is reserved' },
    { pointer: '/redirectUris/0', detail: 'must be exact' },
    { pointer: '/a~1b~0c', detail: 'is not a member' },
  ],
};

describe('problemFrom', () => {
  it('reads a problem document', () => {
    expect(problemFrom(400, document)).toMatchObject({
      type: 'invalid-request',
      title: document.title,
      message: document.detail,
      requestId: 'r1',
    });
  });

  it.each([undefined, null, 'bad gateway', {}, { type: 'x' }])('takes %j for an answer of something in between', (body) => {
    expect(problemFrom(502, body)).toMatchObject({ type: 'unreachable', isPassing: true });
  });
});

describe('faultsByField', () => {
  it('gives every fault to its field, several of one field together', () => {
    expect(faultsByField(problemFrom(400, document))).toEqual({
      slug: 'is too short; is reserved',
      'redirectUris.0': 'must be exact',
      'a/b~c': 'is not a member',
    });
  });

  it('shows a taken slug at the slug', () => {
    expect(faultsByField(new ApiProblem('slug-taken', 'The slug is taken', 'Choose another.'))).toEqual({ slug: 'Choose another.' });
  });
});

describe('isPassing', () => {
  it('tells a failure that leaves open whether the change was made from a refusal', () => {
    expect(unreachable(new Error('x')).isPassing).toBe(true);
    expect(problemFrom(500, { ...document, type: 'x/internal' }).isPassing).toBe(true);
    expect(problemFrom(400, document).isPassing).toBe(false);
    expect(problemFrom(409, { ...document, type: 'x/idempotency-replayed' }).isPassing).toBe(false);
  });

  it('never takes a mistake of the page for a refusal of the API', () => {
    expect(toProblem(new TypeError('x'))).toMatchObject({ type: 'internal', title: 'This page made a mistake' });
  });
});
