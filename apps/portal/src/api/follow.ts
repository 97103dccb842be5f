import { useEffect, useState } from 'react';
import { isCompleteProof } from '@latchkey/contracts';
import { useApi, type Api } from './api.ts';
import { problemFrom, toProblem, type ApiProblem } from './problem.ts';
import type { Proof } from './queries.ts';

/** Whose cut-off it is: a repository's, or else one of the tenant's own credentials. */
export interface ProofOf {
  slug?: string | undefined;
  cutoffId: string;
}

/** Pauses before asking again, the longer the longer nothing has come of it. */
const pauseMillis = [500, 1_000, 2_000, 5_000, 10_000];

/**
 * A proof as it fills up. The API sends it whole whenever it has changed, so a connection that breaks loses nothing: this
 * asks again until the proof is complete. An `EventSource` would do, if it could send an access token.
 */
export function useFollowedProof({ slug, cutoffId }: ProofOf): { proof: Proof | undefined; problem: ApiProblem | undefined } {
  const api = useApi();
  const [proof, setProof] = useState<Proof>();
  const [problem, setProblem] = useState<ApiProblem>();
  useEffect(() => {
    const stop = new AbortController();
    const hear = (next: Proof) => {
      setProof(next);
      setProblem(undefined);
    };
    void follow(api, { slug, cutoffId }, stop.signal, hear, setProblem);
    return () => stop.abort();
  }, [api, slug, cutoffId]);
  return { proof, problem };
}

/** Asks until the proof is complete, or asking again cannot help. */
async function follow(
  api: Api,
  of: ProofOf,
  stop: AbortSignal,
  onProof: (proof: Proof) => void,
  onProblem: (problem: ApiProblem) => void,
): Promise<void> {
  for (let attempt = 0; !stop.aborted; attempt++) {
    let latest: Proof | undefined;
    try {
      for await (latest of proofsOf(api, of, stop)) onProof(latest);
      if (latest && isCompleteProof(latest)) return;
    } catch (error) {
      if (stop.aborted) return;
      const problem = toProblem(error);
      onProblem(problem);
      if (!problem.isPassing) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMillis[Math.min(attempt, pauseMillis.length - 1)]));
  }
}

async function* proofsOf(api: Api, { slug, cutoffId }: ProofOf, signal: AbortSignal): AsyncGenerator<Proof> {
  const { data, error, response } =
    slug === undefined
      ? await api.GET('/v1/cutoffs/{cutoffId}/events', { params: { path: { cutoffId } }, parseAs: 'stream', signal })
      : await api.GET('/v1/repositories/{slug}/cutoffs/{cutoffId}/events', {
          params: { path: { slug, cutoffId } },
          parseAs: 'stream',
          signal,
        });
  if (!response.ok) throw problemFrom(response.status, error);
  if (data) for await (const text of eventData(data)) yield JSON.parse(text) as Proof;
}

/** The data of each server-sent event (HTML Standard §9.2), which our API writes on one line. */
export async function* eventData(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const events = (rest + decoder.decode(part.value, { stream: true })).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) if (event.startsWith('data: ')) yield event.slice('data: '.length);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
