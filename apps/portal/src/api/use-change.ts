import { useEffect, useRef, useState } from 'react';
import type { UseFormReturnType } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { faultsByField, toProblem, type ApiProblem } from './problem.ts';

/** A change under way, or what came of it. */
export interface Change<Input extends unknown[]> {
  run: (...input: Input) => Promise<void>;
  pending: boolean;
  problem: ApiProblem | undefined;
}

/**
 * Carries out a change when `run` is called, and says what became of it. Nothing that it answers is kept: that is up to
 * `work`, whose answer may hold a secret.
 *
 * `work` gets an `Idempotency-Key`. The same input sent again after a failure that says nothing about whether the change
 * was made carries the same key, so that pressing the button twice makes nothing twice.
 */
export function useChange<Input extends unknown[]>(
  work: (headers: { 'Idempotency-Key': string }, ...input: Input) => Promise<void>,
): Change<Input> {
  const [state, setState] = useState<{ pending: boolean; problem?: ApiProblem }>({ pending: false });
  const queries = useQueryClient();
  const attempt = useRef<{ input: string; key: string }>(undefined);

  const run = async (...input: Input) => {
    const text = JSON.stringify(input);
    if (attempt.current?.input !== text) attempt.current = { input: text, key: crypto.randomUUID() };
    setState({ pending: true });
    try {
      await work({ 'Idempotency-Key': attempt.current.key }, ...input);
      attempt.current = undefined;
      setState({ pending: false });
    } catch (error) {
      const problem = toProblem(error);
      if (!problem.isPassing) attempt.current = undefined;
      // It was made when it was sent before, and nothing has said so yet.
      if (problem.type === 'idempotency-replayed') void queries.invalidateQueries();
      setState({ pending: false, problem });
    }
  };
  return { run, pending: state.pending, problem: state.problem };
}

/** Shows each fault of a refused form at its field, and puts the cursor into the first. */
export function useFaultsAtFields<Values extends Record<string, unknown>>(
  form: UseFormReturnType<Values>,
  problem: ApiProblem | undefined,
): void {
  useEffect(() => {
    if (!problem) return;
    const faults = faultsByField(problem);
    form.setErrors(faults);
    const [first] = Object.keys(faults).flatMap((path) => form.getInputNode(path) ?? []);
    first?.focus();
    // The form is another object after each key press; the faults are of one answer.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [problem]);
}
