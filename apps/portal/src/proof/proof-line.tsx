import { useState } from 'react';
import { Badge, Button, Collapse, Group, Progress, Stack, Text } from '@mantine/core';
import { answerOf, useApi } from '../api/api.ts';
import { useFollowedProof, type ProofOf } from '../api/follow.ts';
import type { Proof } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { proofSentence } from './proof-sentence.ts';

/** A proof that fills up while one looks: every node that refuses what was cut off, and everyone who is told of it. */
export function LiveProof(of: ProofOf) {
  const { proof, problem } = useFollowedProof(of);
  return (
    <Stack gap="xs">
      {proof ? <ProofLine proof={proof} slug={of.slug} /> : !problem && <Text size="sm">Asking every node…</Text>}
      {problem && (
        <Text size="sm" role="status">
          {problem.isPassing
            ? 'The proof cannot be followed at the moment; trying again. The cut-off does not depend on it.'
            : `The proof cannot be shown: ${problem.message}`}
        </Text>
      )}
    </Stack>
  );
}

/** What every node saw of one cut-off, in one sentence; the single nodes when asked for. */
export function ProofLine({ proof, slug }: { proof: Proof; slug?: string | undefined }) {
  const [open, setOpen] = useState(false);
  const { nodes, propagation } = proof;
  const refusing = nodes.filter(({ refusedAfterMillis }) => refusedAfterMillis !== null);
  return (
    <Stack gap={6}>
      {nodes.length > 0 && (
        <Progress
          value={(100 * refusing.length) / nodes.length}
          aria-label={`${refusing.length} of ${nodes.length} nodes`}
          size="sm"
          transitionDuration={200}
        />
      )}
      <Group gap="xs" justify="space-between">
        <Text size="sm" role="status" data-testid="proof">
          {proofSentence(proof)}
        </Text>
        {nodes.length > 0 && (
          <Button variant="subtle" size="compact-sm" onClick={() => setOpen(!open)} aria-expanded={open}>
            {open ? 'Hide the nodes' : 'Each node'}
          </Button>
        )}
      </Group>
      <Collapse expanded={open} keepMounted={false}>
        <Stack component="ul" gap={4} m={0} p={0} style={{ listStyle: 'none' }} aria-label="Nodes">
          {nodes.map(({ id, node, kind, refusedAfterMillis }) => (
            <Group component="li" key={id} justify="space-between" gap="xs">
              <Text size="sm">
                <span className="exact">{node}</span>
                {node.startsWith(kind) ? '' : ` (${kind})`}
              </Text>
              <Text size="sm" c="dimmed">
                {refusedAfterMillis === null ? 'has not reported' : `refuses, after ${millis(refusedAfterMillis)}`}
              </Text>
            </Group>
          ))}
        </Stack>
      </Collapse>
      {propagation.map((target) => (
        <Propagation key={`${target.webhookId} ${target.deliveryId}`} slug={slug} target={target} />
      ))}
    </Stack>
  );
}

const millis = (count: number) => `${Math.round(count).toLocaleString()} ms`;

const states = {
  done: { words: 'Done', color: 'key.1' },
  retrying: { words: 'Retrying', color: 'yellow.3' },
  failed: { words: 'Failed', color: 'red.2' },
} as const;

/** One webhook that is told of the cut-off. */
function Propagation({ slug, target }: { slug: string | undefined; target: Proof['propagation'][number] }) {
  const api = useApi();
  const [again, setAgain] = useState(false);
  const { webhookId, deliveryId, state, afterMillis } = target;
  const change = useChange(async (headers) => {
    const path = { slug: slug ?? '', webhookId, deliveryId };
    await answerOf(
      api.POST('/v1/repositories/{slug}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver', { params: { path }, headers }),
    );
    setAgain(true);
  });
  const shown = again && state === 'failed' ? 'retrying' : state;
  return (
    <Stack gap={4}>
      <Group gap="xs" justify="space-between" wrap="nowrap">
        <Text size="sm" miw={0}>
          Webhook <span className="exact">{target.target}</span>
          {state === 'done' && afterMillis !== undefined && `: told after ${millis(afterMillis)}`}
        </Text>
        <Group gap="xs" wrap="nowrap">
          <Badge color={states[shown].color} c="dark.9" tt="none" fw={500} style={{ flex: 'none' }}>
            {states[shown].words}
          </Badge>
          {shown === 'failed' && slug !== undefined && (
            <Button size="compact-sm" variant="default" loading={change.pending} onClick={() => void change.run()}>
              Try again
            </Button>
          )}
        </Group>
      </Group>
      <ProblemAlert problem={change.problem} />
    </Stack>
  );
}
