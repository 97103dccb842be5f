/** The body once for each text in it, with a zero (U+0000) in that one. */
export function eachWithZero(body: unknown): unknown[] {
  if (typeof body === 'string') return [`${body}\0`];
  if (typeof body !== 'object' || body === null) return [];
  return Object.entries(body).flatMap(([name, value]) =>
    eachWithZero(value).map((withZero) => (Array.isArray(body) ? body.with(Number(name), withZero) : { ...body, [name]: withZero })),
  );
}
