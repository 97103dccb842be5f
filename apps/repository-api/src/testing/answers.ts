/** What an answer holds in `d`. */
export async function dataOf(response: Response): Promise<Record<string, unknown> & { results: Record<string, unknown>[] }> {
  return ((await response.json()) as { d: Record<string, unknown> & { results: Record<string, unknown>[] } }).d;
}

/** What an answer holds in `error`. */
export async function errorOf(
  response: Response,
): Promise<{ code: string; exceptiontype: string; message: { lang: string; value: string } }> {
  return ((await response.json()) as { error: { code: string; exceptiontype: string; message: { lang: string; value: string } } }).error;
}
