import type { ReactNode } from 'react';
import { Alert, Button, List, Stack, Text } from '@mantine/core';
import { ExclamationTriangleIcon } from '@radix-ui/react-icons';
import { faultsByField, type ApiProblem } from '../api/problem.ts';

export interface ProblemAlertProps {
  problem: ApiProblem | undefined;
  /** Fields of the form beside it, which show their faults themselves. */
  fields?: readonly string[];
  /** Tries again what failed, where that can help. */
  retry?: () => void;
  /** What to do when the change was made, but its answer is lost, with the secret in it. */
  lost?: ReactNode;
}

/** What went wrong and what to do, read out when it appears; nothing when nothing did. */
export function ProblemAlert({ problem, fields = [], retry, lost }: ProblemAlertProps) {
  if (!problem) return null;
  const faults = Object.entries(faultsByField(problem));
  const elsewhere = faults.filter(([path]) => !fields.includes(path.split('.')[0] as string));
  const { title, message } =
    faults.length > 0 && elsewhere.length === 0
      ? { title: 'Check what you entered', message: 'What is wrong stands at each field that is marked.' }
      : problem;
  return (
    <Alert color="red" variant="outline" title={title} icon={<ExclamationTriangleIcon />} role="alert" w="100%">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{message}</Text>
        {elsewhere.length > 0 && (
          <List size="sm">
            {elsewhere.map(([path, detail]) => (
              <List.Item key={path}>
                <span className="exact">{path}</span> {detail}
              </List.Item>
            ))}
          </List>
        )}
        {problem.type === 'internal' && problem.requestId !== undefined && (
          <Text size="sm">
            Request <span className="exact">{problem.requestId}</span>
          </Text>
        )}
        {problem.type === 'idempotency-replayed' && lost !== undefined && <Text size="sm">{lost}</Text>}
        {retry && !['not-found', 'forbidden'].includes(problem.type) && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}
